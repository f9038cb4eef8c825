"""Candidates -> numbers: one file for each ranking feature, found by scanning this folder."""

from recommender.components.registry import components_in
from recommender.ranking.base import Feature

FEATURES: dict[str, type[Feature]] = components_in(__name__, Feature)
