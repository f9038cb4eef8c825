"""The parts of a score: in both pipelines they add up to it."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from support import shop

from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates
from recommender.components.query import Query
from recommender.pipeline.rankers import LearnedRanker, PaperRanker, Ranked
from recommender.ranking.learned import LearnedRanking

PARTLY = {"titles x ease": 1.5, "popularity": 0.5, "log neighbours": 1.0, "titles": 0.25}


@pytest.fixture(scope="module")
def model() -> Model:
    return shop.recommender().model


def requests(model: Model) -> Iterator[tuple[Query, Mapping[str, Candidates]]]:
    for user in range(0, shop.NUM_USERS, 5):
        query = Query.of_known(model.histories, user)
        found = {name: source.top(query, 8) for name, source in model.sources.items()}
        yield query, {name: one for name, one in found.items() if one is not None}


def check_parts(ranked: Ranked) -> None:
    assert np.allclose(np.sum(list(ranked.parts.values()), axis=0), ranked.score)
    assert (np.diff(ranked.score) <= 0).all()
    assert len(set(ranked.item_num.tolist())) == len(ranked.item_num)


@pytest.mark.parametrize("weights", [None, PARTLY, {"ease": 1.0}, {}])
def test_the_parts_of_a_learned_score_add_up_to_it(model: Model, weights: Mapping[str, float] | None) -> None:
    ranking = model.ranking if weights is None else LearnedRanking(weights)
    assert ranking is not None
    ranker = LearnedRanker(model, ranking, model.sources)
    for query, proposed in requests(model):
        ranked = ranker.rank(query, proposed, 8)
        check_parts(ranked)
        assert (np.array(list(ranked.parts.values())) >= 0).all()
        pool = ranker.pool(query, proposed, 8)
        assert set(ranked.item_num.tolist()) == set(pool.tolist())


def test_a_product_is_half_of_each_of_the_two(model: Model) -> None:
    ranker = LearnedRanker(model, LearnedRanking({"titles x ease": 1.0, "titles": 1.0}), model.sources)
    for query, proposed in requests(model):
        ranked = ranker.rank(query, proposed, 8)
        assert np.allclose(ranked.parts["titles"] - ranked.parts["ease"], ranked.score - 2 * ranked.parts["ease"])
        assert ranked.parts.keys() == {"titles", "ease"}


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_parts_of_the_papers_score_add_up_to_it(weight: float) -> None:
    model = shop.recommender(pipeline="paper", rerank_weight=weight).model
    ranker = PaperRanker(model)
    for query, proposed in requests(model):
        check_parts(ranker.rank(query, proposed, 8))
