"""Recommendations and held-out ratings -> metrics with intervals."""
