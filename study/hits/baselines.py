"""Contestants that need only the project's own packages: popularity, item bias, titles, EASE."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from recommender.data.interactions import Interactions
from recommender.models import fit as models_fit
from recommender.models.fit import choose_iterations, fit
from recommender.models.options import FactorizationOptions
from study.hits.contestants import Contestant, Params
from study.hits.ease import ease
from study.hits.scoring import Recommend, Users, by_scores, matrix

LAMBDAS = [{"lambda": value} for value in (10, 30, 100, 300, 1000)]
MODELS = tuple(sorted(Path(models_fit.__file__).parent.glob("*.py")))


def item_bias(train: Interactions, _titles: Sequence[str], _params: Params, _seed: int) -> Recommend:
    """Recommend by the item bias of the project's factorization: the same order for all users."""
    config = FactorizationOptions()
    bias = fit(train, config, choose_iterations(train, config).num_iterations).item_bias
    return by_scores(matrix(train), lambda users: np.tile(bias, (len(users), 1)))


def popularity(train: Interactions, _titles: Sequence[str], _params: Params, _seed: int) -> Recommend:
    """Recommend the items with the most events."""
    count = np.bincount(train.item_num, minlength=len(train.items)).astype(np.float32)
    return by_scores(matrix(train), lambda users: np.tile(count, (len(users), 1)))


def titles_alone(train: Interactions, titles: Sequence[str], _params: Params, _seed: int) -> Recommend:
    """Recommend by the cosine between an item's TF-IDF vector and the mean of the user's items; includes cold items."""
    terms, seen = normalize(TfidfVectorizer().fit_transform(titles)), matrix(train)

    def scores(users: Users) -> NDArray[np.float64]:
        found = (normalize(seen[users] @ terms) @ terms.T).toarray()
        return np.where(found > 0, found, -np.inf)

    return by_scores(seen, scores, cold=True)


def fit_ease(train: Interactions, _titles: Sequence[str], params: Params, _seed: int) -> Recommend:
    """Recommend by EASE on the pairs of user and item, without ratings."""
    seen = matrix(train)
    return by_scores(seen, ease(seen, float(params["lambda"])))


POPULARITY = Contestant("popularity", "baseline", popularity)
TITLES = Contestant("titles alone", "baseline", titles_alone, uses_titles=True)
BASELINES = (
    POPULARITY,
    Contestant("item bias", "baseline", item_bias, needs_ratings=True, files=MODELS),
    TITLES,
    Contestant("EASE", "peer", fit_ease, LAMBDAS),
)
