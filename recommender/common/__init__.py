"""Helpers that every package may use: messages, progress, files that are complete or absent."""
