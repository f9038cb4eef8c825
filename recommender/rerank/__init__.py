"""Candidates and titles -> the final order."""
