"""Candidates -> the final order."""
