"""The factorization as a candidate source: items without ratings, and refits to other data."""

from dataclasses import replace

import numpy as np
import pytest
from support.worlds import NUM_HAD, NUM_ITEMS, WORLDS, World

from recommender.candidates.factorization import Factorization
from recommender.models.options import FactorizationOptions


@pytest.fixture(scope="module")
def world() -> World:
    return WORLDS["ratings"]


def test_an_item_without_ratings_has_no_score_and_is_not_proposed(world: World) -> None:
    """Check an item with embedding 0, which would come before all items below the average."""
    source: Factorization = world.fitted("factorization")
    for query in (world.known(3), world.stranger([5, 9]), world.newer(2, [1])):
        score = source.score(query, np.arange(NUM_ITEMS))
        assert score is not None
        assert np.isnan(score).nonzero()[0].tolist() == [*range(NUM_HAD, NUM_ITEMS)]
        found = source.top(query, NUM_ITEMS)
        assert found is not None
        assert len(found.item_num) == NUM_HAD - len(np.unique(query.item_num))
        assert score[found.item_num].tolist() == found.score.tolist()


def test_the_factorization_ignores_events_without_ratings(world: World) -> None:
    """Add events without ratings: the equations ignore them, and a user with no others is unknown."""
    source: Factorization = world.fitted("factorization")
    rated, both = world.stranger([5, 9]), world.stranger([5, 30, 9])
    rating = both.history.rating.copy()
    rating[1] = np.nan
    mixed = replace(both, history=both.history._replace(rating=rating), exclude=rated.exclude)
    one, other = source.top(rated, 9), source.top(mixed, 9)
    assert one is not None
    assert other is not None
    assert (one.item_num.tolist(), one.score.tolist()) == (other.item_num.tolist(), other.score.tolist())
    unrated = world.stranger([5, 9], rating=np.nan)
    assert source.top(unrated, 9) is None
    assert source.score(unrated, np.arange(3)) is None
    newer = world.newer(2, [1])
    newer.history.rating[newer.item_num == 1] = np.nan
    assert source.score(newer, np.arange(3)) is not None


def test_a_refit_to_the_same_ratings_gives_the_same_factors(world: World) -> None:
    options = FactorizationOptions(embedding_dim=4, max_sweeps=5)
    source = Factorization.fit(world.context, options)
    again = source.refit(world.context, options)
    for name, array in source.save()[0].items():
        assert np.array_equal(array, again.save()[0][name]), name


def test_a_refit_to_fewer_ratings_proposes_only_their_items(world: World) -> None:
    options = FactorizationOptions(embedding_dim=4, max_sweeps=2)
    fewer = replace(world, data=world.data.where(world.data.item_num >= 30), found={})
    source = Factorization.fit(world.context, options).refit(fewer.context, options)
    found = source.top(fewer.known(0), NUM_ITEMS)
    assert found is not None
    assert found.item_num.min() == 30
