"""A two-stage product recommender: candidate sources propose, ranking features decide.

from recommender import Recommender, train

recommender = train(ratings, titles)        # DataFrames
recommender.recommend("A1B2C3").items
recommender.save("my-job/model")            # read by `recommender serve` and Recommender.load
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommender.pipeline.recommendations import Event, Recommendations, RecommendedItem
    from recommender.pipeline.recommender import Recommender
    from recommender.training.api import train

__version__ = "0.2.0"

__all__ = ["Event", "Recommendations", "RecommendedItem", "Recommender", "train"]

_MODULES = {
    **dict.fromkeys(["Event", "Recommendations", "RecommendedItem"], "recommender.pipeline.recommendations"),
    "Recommender": "recommender.pipeline.recommender",
    "train": "recommender.training.api",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any exported name
    """Import an exported name when it is used: training needs torch and pandas, serving does not."""
    if name not in _MODULES:
        raise AttributeError(f"module 'recommender' has no attribute {name!r}")
    from recommender.common.extras import missing_package

    try:
        return getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        raise (missing_package(error) or error) from None
