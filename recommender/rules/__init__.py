"""The rules of a request, a file each; a new file is a new rule."""

from recommender.components.registry import components_in
from recommender.rules.base import Rule

RULES: dict[str, type[Rule]] = components_in(__name__, Rule)
