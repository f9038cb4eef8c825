"""Recommender -> HTTP."""
