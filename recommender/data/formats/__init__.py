"""Readers of the file formats; each reads one file of a channel into checked chunks of its columns."""
