"""A two-stage product recommender: candidate sources propose, ranking features decide.

from recommender import Recommender, train

recommender = train(ratings, titles)        # DataFrames
recommender.recommend("A1B2C3").items
recommender.save("my-job/model")            # read by `recommender serve` and Recommender.load
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommender.pipeline.recommender import Event, Recommendations, RecommendedItem, Recommender
    from recommender.training.api import train

__version__ = "0.2.0"

__all__ = ["Event", "Recommendations", "RecommendedItem", "Recommender", "train"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any exported name
    """Import an exported name when it is used: training needs torch and pandas, serving does not."""
    if name not in __all__:
        raise AttributeError(f"module 'recommender' has no attribute {name!r}")
    from recommender.common.extras import missing_package

    module = "recommender.training.api" if name == "train" else "recommender.pipeline.recommender"
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise (missing_package(error) or error) from None
