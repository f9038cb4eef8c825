"""The contract of candidate sources and ranking features: one suite that runs over every registered one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates import SOURCES
from recommender.candidates.base import Candidates, Source
from recommender.components.base import Component
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.errors import ConfigError
from recommender.hyperparameters import COMPONENTS, TrainConfig
from recommender.ranking.base import Feature
from recommender.ranking.features import FEATURES

NUM_USERS, NUM_ITEMS = 40, 60
FEW = 7


def training_data() -> Interactions:
    """Ratings of which some items have the same raters and ratings, so that their scores are equal."""
    random = np.random.default_rng(0)
    user, item = random.integers(0, NUM_USERS, 500), random.integers(0, NUM_ITEMS - 20, 500)
    frame = pd.DataFrame({"user_id": user, "item_id": item, "rating": random.integers(1, 6, 500).astype(float)})
    frame = frame.drop_duplicates(["user_id", "item_id"])
    twins = frame[frame["item_id"] < 20].assign(item_id=lambda rows: rows["item_id"] + NUM_ITEMS - 20)
    both = pd.concat([frame, twins], ignore_index=True)
    return Interactions.from_frame(
        both.assign(user_id=both["user_id"].map("u{:02d}".format), item_id=both["item_id"].map("i{:02d}".format))
    )


DATA = training_data()
HISTORIES = Histories.from_interactions(DATA)
WORDS = ["red", "blue", "wool", "silk", "shirt", "skirt", "coat", "hat"]
TITLES = [f"{WORDS[number % 3]} {WORDS[number % 8]}" if number % 5 else "" for number in range(len(DATA.items))]
CONTEXT = FitContext(DATA, titles=TITLES)
FITTED: dict[str, Any] = {}


def options_of(component: type[Component]) -> Any:  # noqa: ANN401 - each has its own
    return TrainConfig().of(component.Options)


def fitted(name: str) -> Any:  # noqa: ANN401 - a source or a feature
    if name not in FITTED:
        FITTED[name] = COMPONENTS[name].fit(replace(CONTEXT, metrics={}), options_of(COMPONENTS[name]))
    return FITTED[name]


def known(user_num: int, exclude: bool = True) -> Query:
    item_num, rating = HISTORIES.of(user_num)
    return Query(user_num, item_num, rating, False, item_num if exclude else item_num[:0])


def stranger(items: list[int]) -> Query:
    item_num = np.array(items, np.int32)
    return Query(None, item_num, np.full(len(items), 4, np.float32), bool(items), item_num)


QUERIES = [*map(known, range(NUM_USERS)), stranger([]), stranger([3]), stranger([1, 2, 5, 40])]


def check_order(found: Candidates, source: Source) -> None:
    assert found.item_num.dtype == np.int64
    assert found.score.dtype == np.float64
    assert found.item_num.shape == found.score.shape
    assert len(set(found.item_num.tolist())) == len(found.item_num)
    assert np.isfinite(found.score).all()
    assert found.origin in source.origins
    pairs = list(zip((-found.score).tolist(), found.item_num.tolist(), strict=True))
    assert pairs == sorted(pairs)  # best first, of equal scores the lower number


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_is_kept_is_what_the_contract_names_and_loads_to_the_same_bytes(name: str) -> None:
    component = fitted(name)
    arrays, values = component.save()
    assert arrays.keys() == component.arrays.keys()
    assert values.keys() == set(component.values)
    assert all(isinstance(value, int | float) for value in values.values())
    loaded = type(component).checked(arrays, values, options_of(type(component)), len(DATA.users), len(DATA.items))
    again, numbers = loaded.save()
    assert {key: array.tobytes() for key, array in again.items()} == {
        key: np.ascontiguousarray(array).tobytes() for key, array in arrays.items()
    }
    assert dict(numbers) == dict(values)


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    component = COMPONENTS[name]
    one, other = (component.fit(replace(CONTEXT, metrics={}), options_of(component)).save()[0] for _ in range(2))
    assert {key: array.tobytes() for key, array in one.items()} == {
        key: array.tobytes() for key, array in other.items()
    }


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_array_of_another_length_is_refused_by_name(name: str) -> None:
    component = fitted(name)
    arrays, values = component.save()
    for array, expected in component.arrays.items():
        if not any(size in ("users", "users+1", "items", "items+1") for size in expected.shape):
            continue
        short = {**arrays, array: arrays[array][:-1]}
        with pytest.raises(ValueError, match=f"{name}.{array}: expected the shape"):
            component.checked(short, values, options_of(type(component)), len(DATA.users), len(DATA.items))


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_option_has_a_default_a_help_and_a_hyper_parameter_that_is_refused_by_name(name: str) -> None:
    component = COMPONENTS[name]
    for option in component.own_options():
        field = component.Options.model_fields[option]
        assert not field.is_required(), option
        assert field.description, option
        for hyperparameter in {component.hyperparameter(option), f"{name}_{option}"}:
            shown = component.hyperparameter(option)
            with pytest.raises(ConfigError, match=f"^hp: hyper-parameter '{shown}': .*'no such value'"):
                TrainConfig.from_hyperparameters({hyperparameter: "no such value"}, "hp")


@pytest.mark.parametrize("name", COMPONENTS)
def test_both_names_of_an_option_mean_the_same_and_are_not_given_together(name: str) -> None:
    component = COMPONENTS[name]
    for option in component.own_options():
        short, long = component.hyperparameter(option), f"{name}_{option}"
        if short == long:
            continue
        value = component.Options.model_fields[option].default
        by_short, by_long = (TrainConfig.from_hyperparameters({key: value}, "hp") for key in (short, long))
        assert by_short == by_long
        with pytest.raises(ConfigError, match="are the same: give one of them"):
            TrainConfig.from_hyperparameters({short: value, long: value}, "hp")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("count", [1, FEW, NUM_ITEMS * 2])
def test_candidates_are_ordered_bounded_and_never_excluded_items(name: str, count: int) -> None:
    source = fitted(name)
    for query in QUERIES:
        found = source.top(query, count)
        if found is not None:
            check_order(found, source)
            assert len(found.item_num) <= count
            assert not set(found.item_num.tolist()) & set(query.exclude.tolist())


@pytest.mark.parametrize("name", SOURCES)
def test_the_first_of_many_candidates_are_the_few(name: str) -> None:
    source = fitted(name)
    for query in QUERIES:
        many, few = source.top(query, 4 * FEW), source.top(query, FEW)
        assert (many is None) == (few is None)
        if many is not None:
            assert many.item_num[:FEW].tolist() == few.item_num.tolist()


@given(st.lists(st.integers(0, len(QUERIES) - 1), max_size=12), st.integers(1, 30), st.sampled_from(sorted(SOURCES)))
def test_a_batch_gives_what_each_query_gives_alone(numbers: list[int], count: int, name: str) -> None:
    source, queries = fitted(name), [replace(QUERIES[number], memo={}) for number in numbers]
    for query, found in zip(queries, source.top_of_each(queries, count), strict=True):
        alone = source.top(replace(query, memo={}), count)
        assert (found is None) == (alone is None)
        if found is not None and alone is not None:
            assert found.item_num.tolist() == alone.item_num.tolist()
            assert found.score.tolist() == alone.score.tolist()
            assert found.origin == alone.origin


@pytest.mark.parametrize("name", SOURCES)
def test_an_unknown_user_with_a_history_gets_other_items_or_the_source_says_that_it_can_not(name: str) -> None:
    found = fitted(name).top(stranger([1, 2, 5]), FEW)
    assert found is None or (len(found.item_num) == FEW and not {1, 2, 5} & set(found.item_num.tolist()))


@pytest.mark.parametrize("name", SOURCES)
def test_ratings_are_predicted_for_all_items_alike_or_not_at_all(name: str) -> None:
    source, everything = fitted(name), np.arange(len(DATA.items))
    for query in QUERIES:
        predicted = source.predicted_rating(query, everything)
        if predicted is not None:
            assert predicted.dtype == np.float64
            assert predicted.shape == everything.shape
            assert np.isfinite(predicted).all()
            some = everything[::3]
            assert np.array_equal(source.predicted_rating(query, some), predicted[::3])
    pairs = source.predict_pairs(np.array([0, -1, 3]), np.array([1, 2, -1]))
    assert pairs is None or (pairs.shape == (3,) and np.isfinite(pairs).all())


@pytest.mark.parametrize("name", SOURCES)
def test_reasons_are_items_of_the_history(name: str) -> None:
    for query in QUERIES:
        reasons = fitted(name).reasons(query, [0, 1, 2])
        assert len(reasons) == 3
        assert set(reasons) <= {None, *query.item_num.tolist()}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_a_number_from_0_to_1_or_unknown_for_each_candidate(name: str) -> None:
    feature: Feature = fitted(name)
    candidates = Candidates(np.array([5, 2, 9, 11]), np.array([3.0, 2.0, 2.0, -1.0]), "x")
    for query in QUERIES:
        score = feature.score(query, candidates)
        if score is not None:
            assert score.dtype == np.float64
            assert score.shape == (4,)
            assert ((score >= 0) & (score <= 1) | np.isnan(score)).all()
        reasons = feature.reasons(query, [5, 2])
        assert set(reasons) <= {None, *query.item_num.tolist()}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_nothing_is_nothing(name: str) -> None:
    score = fitted(name).score(known(0), Candidates(np.empty(0, np.int64), np.empty(0), "x"))
    assert score is None or score.shape == (0,)


def test_what_is_not_in_use_is_named_as_without_effect() -> None:
    config = TrainConfig.from_hyperparameters({"candidate_sources": "popularity", "embedding_dim": 7}, "hp")
    assert config.without_effect == ["embedding_dim"]
    assert config.search_space == {}


@pytest.mark.parametrize("text", ["", "factorisation", "popularity,popularity", "popularity,", 7])
def test_sources_that_are_unknown_or_there_twice_are_refused_with_what_there_is(text: object) -> None:
    with pytest.raises(ConfigError, match=r"'candidate_sources': expected (some of .*popularity|a valid)"):
        TrainConfig.from_hyperparameters({"candidate_sources": text}, "hp")
