"""Recommendations and held-out ratings -> figures."""
