"""Contestants of other projects, and the grids from which validation chooses."""

from collections.abc import Sequence
from itertools import product

from study.hits import sasrec
from study.hits.contestants import Contestant, Params
from study.hits.libraries import implicit_als, implicit_bpr, implicit_neighbours, lightfm_warp, surprise_svd


def grid(**values: Sequence[float]) -> list[Params]:
    """Return every combination of the values; the last name varies fastest."""
    return [dict(zip(values, some, strict=True)) for some in product(*values.values())]


SURPRISE, IMPLICIT, LIGHTFM, RECTOOLS = "scikit-surprise", "implicit", "rectools-lightfm", "rectools"
ALS_GRID = grid(factors=(32, 64, 128, 256), alpha=(1, 10, 40, 160, 640), regularization=(1, 50))
BPR_GRID = grid(learning_rate=(0.01, 0.1), iterations=(50, 200))
NEIGHBOUR_GRID = grid(K=(20, 100, 500, 2000))
LIGHTFM_GRID = grid(no_components=(16, 64, 128), epochs=(5, 20, 50))
SEEDS = 3  # of random contestants
NEIGHBOURS = {"cosine": "CosineRecommender", "TF-IDF": "TFIDFRecommender", "BM25": "BM25Recommender"}
PEERS = (
    Contestant("Surprise SVD", "peer", surprise_svd, package=SURPRISE, seeds=SEEDS, needs_ratings=True),
    Contestant("implicit ALS", "peer", implicit_als, ALS_GRID, IMPLICIT, SEEDS),
    Contestant("implicit BPR", "peer", implicit_bpr, BPR_GRID, IMPLICIT, SEEDS),
    *(
        Contestant(f"implicit kNN, {name}", "peer", implicit_neighbours(kind), NEIGHBOUR_GRID, IMPLICIT)
        for name, kind in NEIGHBOURS.items()
    ),
    Contestant("LightFM, WARP", "peer", lightfm_warp, LIGHTFM_GRID, LIGHTFM, SEEDS),
    Contestant(
        "SASRec (RecTools)",
        "peer",
        sasrec.fit,
        package=RECTOOLS,
        seeds=SEEDS,
        choose=sasrec.choose,
        environment=sasrec.ENVIRONMENT,
        files=(sasrec.WORKER,),
    ),
)
