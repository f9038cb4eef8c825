"""Training: channels -> fitted components -> model folder and metrics."""
