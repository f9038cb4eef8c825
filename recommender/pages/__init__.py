"""Plots and pages that need nothing else, for a browser."""
