"""Channels -> fitted components -> model folder and metrics."""
