"""The learned ranking, written out: its columns, its order, and the parts of each score."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.worlds import NUM_ITEMS, WORLDS

from recommender.candidates.base import Candidates
from recommender.candidates.fusion import RANK_CONSTANT
from recommender.components.query import Query
from recommender.ranking.learned import LearnedRanking, Pool, column_names, columns, parts_of, shares

NAMES = ["titles", "ease", "popularity", "words"]
CONTENTS = ["titles", "words"]

Doubles = NDArray[np.float64]
numbers = st.floats(0, 1)


def values_of(count: int) -> st.SearchStrategy[dict[str, Doubles]]:
    row = st.lists(numbers, min_size=count, max_size=count).map(np.array)
    return st.tuples(*[row] * len(NAMES)).map(lambda rows: dict(zip(NAMES, rows, strict=True)))


several_values = st.integers(1, 8).flatmap(values_of)


def weights_of(names: Sequence[str]) -> st.SearchStrategy[dict[str, float]]:
    return st.dictionaries(st.sampled_from(names), st.floats(0, 10))


# --- columns ---


def test_the_columns_are_the_shares_their_logarithms_and_the_contents_times_all_others() -> None:
    assert column_names(["ease", "titles", "popularity"], ["titles"]) == [
        *("ease", "titles", "popularity"),
        *("log ease", "log titles", "log popularity"),
        *("titles x ease", "titles x popularity"),
    ]
    assert column_names(["ease"], []) == ["ease", "log ease"]


@given(several_values)
def test_columns_match_their_names(values: dict[str, Doubles]) -> None:
    found = columns(values, CONTENTS)
    names = column_names(NAMES, CONTENTS)
    assert found.shape == (len(names), len(values["ease"]))
    for name, row in zip(names, found, strict=True):
        parts = [values[part] for part in parts_of(name)]
        if name.startswith("log "):
            assert np.allclose(row, np.log(1 + 100 * parts[0]) / np.log(101))
        else:
            assert np.allclose(row, np.prod(parts, axis=0))
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()


def test_a_column_is_made_of_the_sources_in_its_name() -> None:
    assert parts_of("ease") == ["ease"]
    assert parts_of("log ease") == ["ease"]
    assert parts_of("titles x ease") == ["titles", "ease"]


# --- the order ---


@given(several_values, weights_of(column_names(NAMES, CONTENTS)))
def test_the_order_is_that_of_the_weighted_columns_and_ties_stay_as_they_are(
    values: dict[str, Doubles], weights: dict[str, float]
) -> None:
    position, score, added = LearnedRanking(weights).order(Query(), values, CONTENTS)
    names, table = column_names(NAMES, CONTENTS), columns(values, CONTENTS)
    total = sum((weights.get(name, 0.0) * row for name, row in zip(names, table, strict=True)), np.zeros(len(position)))
    assert np.allclose(score, total[position])
    assert (np.diff(score) <= 0).all()
    assert sorted(position.tolist()) == list(range(len(position)))
    for one, other in zip(range(len(score) - 1), range(1, len(score)), strict=True):
        assert score[one] > score[other] or position[one] < position[other]
    assert added.shape == table.shape
    assert np.allclose(added.sum(axis=0), score)
    for name, row, column in zip(names, added, table, strict=True):
        assert np.allclose(row, weights.get(name, 0.0) * column[position])


@given(several_values, weights_of(column_names(NAMES, CONTENTS)), st.sampled_from(NAMES), st.data())
def test_a_higher_score_of_any_source_never_lowers_an_item(
    values: dict[str, Doubles], weights: dict[str, float], name: str, data: st.DataObject
) -> None:
    count = len(values[name])
    item = data.draw(st.integers(0, count - 1))
    higher = values[name].copy()
    higher[item] = data.draw(st.floats(float(higher[item]), 1))
    ranking = LearnedRanking(weights)
    before, score, _ = ranking.order(Query(), values, CONTENTS)
    after, higher_score, _ = ranking.order(Query(), {**values, name: higher}, CONTENTS)
    assert higher_score[after == item] >= score[before == item] - 1e-9


@given(several_values, weights_of(column_names(NAMES, CONTENTS)), weights_of(column_names(NAMES, CONTENTS)))
def test_requests_within_a_session_have_separate_weights(
    values: dict[str, Doubles], weights: dict[str, float], of_session: dict[str, float]
) -> None:
    both = LearnedRanking(weights, of_session)
    for in_session, expected in ((False, weights), (True, of_session)):
        query = Query(in_session=in_session)
        found, alone = both.order(query, values, CONTENTS), LearnedRanking(expected).order(query, values, CONTENTS)
        assert all(np.array_equal(one, other) for one, other in zip(found, alone, strict=True))
    assert both.columns == {*weights, *of_session}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"easy": 1.0}, "ranking: the model has no column 'easy'"),
        ({"ease x titles": 1.0}, "ranking: the model has no column 'ease x titles'"),
        ({"ease": -0.5}, "ranking: expected a weight of 'ease' from 0, got -0.5"),
        ({"log ease": float("nan")}, "ranking: expected a weight of 'log ease' from 0, got nan"),
        ({"ease": float("inf")}, "ranking: expected a weight of 'ease' from 0, got inf"),
    ],
)
def test_weights_of_unknown_columns_are_refused(weights: dict[str, float], message: str) -> None:
    LearnedRanking({"ease": 1.0, "titles x ease": 0.0}).check(["ease", "titles"], ["titles"])
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        LearnedRanking(weights).check(["ease", "titles"], ["titles"])
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        LearnedRanking({}, weights).check(["ease", "titles"], ["titles"])


# --- the pool ---


def candidates(items: Sequence[int]) -> Candidates:
    return Candidates(np.array(items, np.int64), np.arange(len(items), 0, -1.0), "x")


lists = st.lists(st.lists(st.integers(0, 15), max_size=10, unique=True), max_size=4)


@given(lists)
def test_the_pool_has_each_candidate_once_by_the_sum_of_reciprocal_ranks(of_sources: list[list[int]]) -> None:
    gain: dict[int, float] = {}
    for items in of_sources:
        for rank, item in enumerate(items, 1):
            gain[item] = gain.get(item, 0) + 1 / (RANK_CONSTANT + rank)
    pool = Pool.of({f"s{number}": candidates(items) for number, items in enumerate(of_sources)})
    assert pool.item_num.dtype == np.int64
    assert sorted(pool.item_num.tolist()) == sorted(gain)
    found = [gain[item] for item in pool.item_num.tolist()]
    assert found == pytest.approx(sorted(found, reverse=True))
    for item in gain:
        expected = [f"s{number}" for number, items in enumerate(of_sources) if item in items]
        assert pool.proposers(item) == expected


class Says:
    """A source or feature that gives these numbers to every item, whatever the user."""

    def __init__(self, by_item: dict[int, float] | None) -> None:
        self._by_item = by_item

    def score(self, query: object, of: Any) -> Doubles | None:  # noqa: ANN401 - items or candidates
        items = of.item_num if isinstance(of, Candidates) else of
        if self._by_item is None:
            return None
        return np.array([self._by_item.get(item, np.nan) for item in items.tolist()])


def shares_of(source: dict[int, float] | None, own: Candidates | None, items: Sequence[int]) -> list[float]:
    pool = Pool(np.array(items, np.int64), {} if own is None else {"s": own})
    says: Any = Says(source)
    return shares(WORLDS["ratings"].known(0), pool, {"s": says}, {})["s"].tolist()


@given(st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1, max_size=8))
def test_a_share_is_of_the_best_score_from_0_or_from_the_lowest(scores: list[float]) -> None:
    found = shares_of(dict(enumerate(scores)), None, range(len(scores)))
    known = [score for score in scores if score == score]
    lowest = min(0.0, *known) if known else 0.0
    raised = [0.0 if score != score else score - lowest for score in scores]
    assert found == pytest.approx([score / max(raised) if max(raised) > 0 else 0.0 for score in raised])


def test_a_source_that_scores_only_its_candidates_gives_0_to_the_others() -> None:
    own = Candidates(np.array([7, 2]), np.array([4.0, 1.0]), "s")
    assert shares_of(None, own, [2, 5, 7]) == [0.25, 0.0, 1.0]
    negative = Candidates(np.array([7, 2]), np.array([-1.0, -3.0]), "s")
    assert shares_of(None, negative, [2, 5, 7]) == [0.0, 0.0, 1.0]
    assert shares_of(None, None, [2, 5, 7]) == [0.0, 0.0, 0.0]
    assert shares_of(None, candidates([]), [2, 5]) == [0.0, 0.0]
    assert shares_of({}, candidates([]), []) == []


def test_a_feature_keeps_its_number_and_counts_0_if_it_knows_nothing() -> None:
    pool = Pool(np.array([4, 9], np.int64), {})
    known, unknown = Says({4: 0.25}), Says(None)
    features: Any = {"known": known, "unknown": unknown}
    found = shares(WORLDS["ratings"].known(0), pool, {}, features)
    assert found["known"].tolist() == [0.25, 0.0]
    assert found["unknown"].tolist() == [0.0, 0.0]


def fitted_sources(world: str) -> Iterator[tuple[str, Any]]:
    for name in ("factorization", "neighbours", "ease", "implicit_mf", "popularity", "titles"):
        yield name, WORLDS[world].fitted(name)


def test_the_shares_of_real_sources_are_from_0_to_1_and_the_best_candidate_has_1() -> None:
    sources = dict(fitted_sources("ratings"))
    for query in WORLDS["ratings"].queries:
        proposed = {
            name: found for name, of in sources.items() if (found := of.top(query.without_memo(), 9)) is not None
        }
        pool = Pool.of(proposed)
        found = shares(query.without_memo(), pool, sources, {})
        assert found.keys() == sources.keys()
        for name, values in found.items():
            assert values.shape == pool.item_num.shape
            assert ((values >= 0) & (values <= 1)).all()
            if name in proposed and len(proposed[name].item_num) and proposed[name].score[0] > 0:
                best = values[pool.item_num == proposed[name].item_num[0]]
                assert best.tolist() == [1.0]
        assert len(pool.item_num) <= NUM_ITEMS
