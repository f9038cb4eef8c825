"""Interactions -> factors, with torch; `factors` does not import torch, since serving shares it."""
