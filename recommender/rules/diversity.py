"""Diversity: items with titles unlike those before them (Carbonell and Goldstein, SIGIR 1998)."""

from typing import Annotated, Self

from pydantic import Field

from recommender.artifacts.model_folder import Model
from recommender.errors import RequestError
from recommender.models.title_vectors import TitleVectors
from recommender.rules.base import Rule


class Diversity(Rule):
    """The weight of dissimilarity in maximal marginal relevance.

    Each place gets the candidate with the largest (1 - weight) x score - weight x similarity. Scores are scaled to 0 to
    1. The similarity is the largest cosine with a title before it in the response.
    """

    name = "diversity"
    Value = Annotated[float, Field(ge=0, le=1)]
    description = (
        "How much the titles of the response should differ: 0 is the order by score, 1 the largest difference. Each "
        "place gets the candidate with the largest (1 - diversity) x score - diversity x similarity to a title before "
        "it."
    )

    def __init__(self, weight: float, vectors: TitleVectors) -> None:
        self._weight, self._vectors = weight, vectors

    @classmethod
    def of(cls, value: float, model: Model) -> Self:
        """Return the rule with this weight."""
        vectors = next(filter(None, (part.title_vectors() for part in model.components.values())), None)
        if vectors is None or not vectors.num_terms:
            raise RequestError(cls.name, "expected a model with titles to compare: give training an items channel")
        return cls(value, vectors)

    def diversity(self) -> tuple[float, TitleVectors]:
        """Return the weight, and the vectors of the titles."""
        return self._weight, self._vectors
