"""Access to parts of a loaded model."""

from recommender.candidates.factorization import Factorization
from recommender.models.factors import Factors
from recommender.models.options import FactorizationOptions
from recommender.pipeline.recommender import Recommender


def factors_of(recommender: Recommender) -> Factors:
    source = recommender.model.sources[Factorization.name]
    assert isinstance(source, Factorization)
    return source.factors


def options_of(recommender: Recommender) -> FactorizationOptions:
    return recommender.model.config.of(FactorizationOptions)
