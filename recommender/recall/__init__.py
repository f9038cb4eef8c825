"""Factors -> candidates."""
