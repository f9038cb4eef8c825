"""Interactions -> candidates: one file for each candidate source, found by scanning this folder."""

from recommender.candidates.base import Source
from recommender.components.registry import components_in

SOURCES: dict[str, type[Source]] = components_in(__name__, Source)
