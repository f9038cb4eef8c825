"""Interactions -> fitted models, with torch. `factors` does not import torch, because the server uses it too."""
