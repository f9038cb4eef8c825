"""The contract of candidate sources and ranking features: one suite that runs over every registered one."""

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from support.worlds import NUM_HAD, NUM_ITEMS, NUM_USERS, WORLDS, World, options_of

from recommender.candidates import SOURCES
from recommender.candidates.base import Candidates, Role, Source
from recommender.components.base import Component, Reason
from recommender.components.query import NO_ITEMS, Query
from recommender.config import words_of
from recommender.data.interactions import Interactions
from recommender.errors import ConfigError
from recommender.hyperparameters import COMPONENTS, TrainConfig
from recommender.ranking.base import Feature
from recommender.ranking.features import FEATURES

FEW = 7


def suits(source: type[Source], world: World) -> bool:
    return source.unsuited(world.context, options_of(source)) is None


# Each source with each kind of events that it can be fitted to.
CASES = [(world, name) for world in WORLDS for name, source in SOURCES.items() if suits(source, WORLDS[world])]
EVERYWHERE = pytest.mark.parametrize(("world", "name"), CASES, ids=[f"{name}-{world}" for world, name in CASES])


def fitted(name: str) -> Any:  # noqa: ANN401 - a source or a feature
    return next(WORLDS[world] for world, found in [*CASES, ("ratings", name)] if found == name).fitted(name)


def bytes_of(component: Component) -> dict[str, bytes]:
    return {name: np.ascontiguousarray(array).tobytes() for name, array in component.save()[0].items()}


def answer(found: Candidates | None) -> object:
    return None if found is None else (found.item_num.tolist(), found.score.tolist(), found.origin)


def check_order(found: Candidates, source: Source) -> None:
    assert found.item_num.dtype == np.int64
    assert found.score.dtype == np.float64
    assert found.item_num.shape == found.score.shape
    assert len(set(found.item_num.tolist())) == len(found.item_num)
    assert np.isfinite(found.score).all()
    assert found.origin in source.origins
    pairs = list(zip((-found.score).tolist(), found.item_num.tolist(), strict=True))
    assert pairs == sorted(pairs)  # best first, of equal scores the lower number


# --- what a component keeps ---


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_saves_its_declared_arrays_and_loads_to_the_same_bytes(name: str) -> None:
    world, component = WORLDS["ratings"], fitted(name)
    arrays, values = component.save()
    assert arrays.keys() == component.arrays.keys()
    assert values.keys() == set(component.values)
    assert all(isinstance(value, int | float) for value in values.values())
    loaded = world.loaded(component)
    assert bytes_of(loaded) == bytes_of(component)
    assert dict(loaded.save()[1]) == dict(values)


@EVERYWHERE
def test_a_loaded_source_gives_the_results_of_the_fitted_one(world: str, name: str) -> None:
    source: Source = WORLDS[world].fitted(name)
    loaded: Source = WORLDS[world].loaded(source)
    assert bytes_of(loaded) == bytes_of(source)
    everything = np.arange(NUM_ITEMS)
    for query in WORLDS[world].queries:
        assert answer(loaded.top(query.without_memo(), FEW)) == answer(source.top(query.without_memo(), FEW))
        one, other = loaded.score(query.without_memo(), everything), source.score(query.without_memo(), everything)
        assert (one is None) == (other is None)
        assert one is None or other is None or np.array_equal(one, other, equal_nan=True)
        assert loaded.reasons(query.without_memo(), [0, 40]) == source.reasons(query.without_memo(), [0, 40])


@EVERYWHERE
def test_the_position_of_a_target_is_that_among_the_candidates(world: str, name: str) -> None:
    source: Source = WORLDS[world].fitted(name)
    queries = WORLDS[world].queries
    for target in range(0, NUM_ITEMS, 7):
        targets = np.full(len(queries), target)
        fast = source.target_ranks([query.without_memo() for query in queries], targets, NUM_ITEMS)
        plain = Source.target_ranks(source, [query.without_memo() for query in queries], targets, NUM_ITEMS)
        assert fast.tolist() == plain.tolist()


@EVERYWHERE
def test_the_same_seed_gives_the_same_bytes(world: str, name: str) -> None:
    again = SOURCES[name].fit(WORLDS[world].context, options_of(SOURCES[name]))
    assert bytes_of(again) == bytes_of(WORLDS[world].fitted(name))


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_fitted_to_the_same_bytes_each_time(name: str) -> None:
    assert bytes_of(FEATURES[name].fit(WORLDS["ratings"].context, options_of(FEATURES[name]))) == bytes_of(fitted(name))


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_error_names_an_array_of_another_length(name: str) -> None:
    component = fitted(name)
    arrays, values = component.save()
    for array, expected in component.arrays.items():
        if not any(size in ("users", "users+1", "items", "items+1") for size in expected.shape):
            continue
        short = {**arrays, array: arrays[array][:-1]}
        with pytest.raises(ValueError, match=f"{name}.{array}: expected the shape"):
            component.checked(short, values, options_of(type(component)), NUM_USERS, NUM_ITEMS)


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_array_that_is_too_short_or_has_an_unknown_item_is_refused(name: str) -> None:
    component = fitted(name)
    arrays, values = component.save()
    for array in [array for array in arrays if array.endswith("item_num")]:
        wrong = arrays[array].copy()
        wrong[0] = NUM_ITEMS
        for other in (wrong, arrays[array][:-1], -wrong):
            with pytest.raises(ValueError, match=name):
                component.checked({**arrays, array: other}, values, options_of(type(component)), NUM_USERS, NUM_ITEMS)


# --- options ---


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_option_has_a_default_help_and_a_hyper_parameter_with_a_range(name: str) -> None:
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


@EVERYWHERE
def test_the_choices_of_a_source_are_valid_options(world: str, name: str) -> None:
    source = SOURCES[name]
    for axis in source.choices(WORLDS[world].context, source.Options()):
        assert len({frozenset(values) for values in axis}) == 1
        for values in axis:
            assert set(values) <= set(source.own_options())
            source.Options.model_validate(dict(values))
        if not WORLDS[world].has_clock:
            assert not any(values.get("day_scale") for values in axis)


def others(value: object, words: list[str]) -> list[object]:
    """Return values of an option besides its default; some may be out of its range."""
    match value:
        case float():
            return [value / 2 or 1.0, value * 2]
        case int():
            return [value - 1, value + 1]
    return [word for word in words if word != value]


def variants(source: type[Source]) -> list[Any]:
    """Yield the default options of a source with another value of one option, for each own option."""
    found: dict[str, Any] = {}
    for option in source.own_options():
        field = source.Options.model_fields[option]
        for value in others(field.default, words_of(field)):
            with contextlib.suppress(ValidationError):
                found.setdefault(option, source.Options.model_validate({option: value}))
    assert found.keys() == set(source.own_options())
    return list(found.values())


@pytest.mark.parametrize("name", [name for world, name in CASES if world == "events"])
def test_a_fit_does_not_depend_on_earlier_fits_to_the_same_data(name: str) -> None:
    source, shared, default = SOURCES[name], WORLDS["events"].context, SOURCES[name].Options()
    for options in variants(source):
        source.fit(shared, default)
        alone = source.fit(WORLDS["events"].context, options)
        assert bytes_of(source.fit(shared, options)) == bytes_of(alone), options


# --- what a source is fitted to ---


@EVERYWHERE
def test_a_fit_does_not_depend_on_the_order_of_the_rows(world: str, name: str) -> None:
    if not WORLDS[world].has_clock:
        return  # the order is the time
    order, everything = np.random.default_rng(0).permutation(len(WORLDS[world].data)), np.arange(NUM_ITEMS)
    shuffled = replace(WORLDS[world], data=rows_of(WORLDS[world].data, order), found={})
    one, other = WORLDS[world].fitted(name), shuffled.fitted(name)
    if name != "factorization":
        assert bytes_of(one) == bytes_of(other)
        return
    for query in WORLDS[world].queries:  # its sums of float32 are rounded in the order of the rows
        mine, theirs = one.score(query.without_memo(), everything), other.score(query.without_memo(), everything)
        assert (mine is None) == (theirs is None)
        assert mine is None or np.allclose(mine, theirs, atol=1e-5, equal_nan=True)


def rows_of(data: Interactions, order: NDArray[np.int64]) -> Interactions:
    rating, weight = (None if column is None else column[order] for column in (data.rating, data.weight))
    user_num, item_num = data.user_num[order], data.item_num[order]
    return replace(data, user_num=user_num, item_num=item_num, rating=rating, time=data.time[order], weight=weight)


@pytest.mark.parametrize("name", SOURCES)
def test_the_scale_of_the_weights_does_not_matter(name: str) -> None:
    world = WORLDS["weights"]
    assert world.data.weight is not None
    doubled = replace(world, data=replace(world.data, weight=world.data.weight * 2), found={})
    for query in world.queries:
        mine, theirs = (
            world.fitted(name).top(query.without_memo(), FEW),
            doubled.fitted(name).top(query.without_memo(), FEW),
        )
        assert answer(mine) == answer(theirs)


@EVERYWHERE
def test_a_fit_for_some_histories_gives_them_the_same_candidates(world: str, name: str) -> None:
    queries = [WORLDS[world].known(number) for number in (3, 8, 15)]
    wanted = np.unique(np.concatenate([query.item_num for query in queries]))
    some = SOURCES[name].fit(replace(WORLDS[world].context, wanted_items=wanted), options_of(SOURCES[name]))
    for query in queries:
        assert answer(some.top(query.without_memo(), FEW)) == answer(
            WORLDS[world].fitted(name).top(query.without_memo(), FEW)
        )


UNSUITED = {
    "factorization": ("events", {}, "the events have no ratings"),
    "session_neighbours": ("an order", {}, "the events have no times in seconds"),
    "ease": ("ratings", {"max_size": 39}, "40 are more than max_size, 39"),
    "titles": ("untitled", {}, "no item has a title"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_an_unsuited_source_gives_a_short_reason(name: str) -> None:
    untitled = replace(WORLDS["ratings"], titles=("", " ") * (NUM_ITEMS // 2), found={})
    worlds = {**WORLDS, "untitled": untitled}
    found = {(kind, SOURCES[name].unsuited(world.context, options_of(SOURCES[name]))) for kind, world in worlds.items()}
    reasons = {reason for _, reason in found if reason is not None}
    if name in UNSUITED:
        kind, options, expected = UNSUITED[name]
        reason = SOURCES[name].unsuited(worlds[kind].context, SOURCES[name].Options.model_validate(options))
        assert reason == expected
        reasons.add(expected)
    else:
        assert not reasons
    for reason in reasons:
        assert reason.isprintable()
        assert reason == reason.strip(". ")
        assert len(reason.split()) <= 28


# --- what a source proposes ---


@EVERYWHERE
@pytest.mark.parametrize("count", [1, FEW, NUM_ITEMS * 2])
def test_candidates_are_ordered_limited_and_without_excluded_items(world: str, name: str, count: int) -> None:
    source: Source = WORLDS[world].fitted(name)
    for query in WORLDS[world].queries:
        found = source.top(query.without_memo(), count)
        if found is not None:
            check_order(found, source)
            assert len(found.item_num) <= count
            assert not set(found.item_num.tolist()) & set(query.exclude.tolist())


@given(
    st.sampled_from(CASES),
    st.integers(0, len(WORLDS["ratings"].queries) - 1),
    st.lists(st.integers(0, NUM_ITEMS - 1), max_size=2 * NUM_ITEMS) | st.just([*range(NUM_ITEMS)]),
    st.integers(1, NUM_ITEMS),
)
def test_any_items_can_be_excluded(case: tuple[str, str], number: int, exclude: list[int], count: int) -> None:
    world, source = WORLDS[case[0]], WORLDS[case[0]].fitted(case[1])
    query = replace(world.queries[number].without_memo(), exclude=np.array(exclude, np.int64))
    everything = source.top(replace(query.without_memo(), exclude=NO_ITEMS), NUM_ITEMS)
    found = source.top(query, count)
    assert (everything is None) == (found is None)
    if found is not None and everything is not None:
        allowed = [item for item in everything.item_num.tolist() if item not in exclude]
        assert found.item_num.tolist() == allowed[:count]


@given(
    st.sampled_from(CASES),
    st.integers(0, len(WORLDS["ratings"].queries) - 1),
    st.sets(st.integers(0, NUM_ITEMS - 1), max_size=3) | st.sets(st.integers(0, NUM_ITEMS - 1)),
    st.integers(1, NUM_ITEMS),
)
def test_rules_can_allow_any_items(case: tuple[str, str], number: int, allowed: set[int], count: int) -> None:
    world, source = WORLDS[case[0]], WORLDS[case[0]].fitted(case[1])
    query = world.queries[number].without_memo()
    everything = source.top(query, NUM_ITEMS)
    restricted = query.restricted(np.isin(np.arange(NUM_ITEMS), [*allowed]))
    found = source.top(restricted.without_memo(), count)
    assert (everything is None) == (found is None)
    if found is not None and everything is not None:
        place = [place for place, item in enumerate(everything.item_num.tolist()) if item in allowed][:count]
        assert answer(found) == answer(Candidates(everything.item_num[place], everything.score[place], found.origin))
    (together,) = source.top_of_each([restricted.without_memo()], count)
    assert answer(together) == answer(found)


@EVERYWHERE
def test_if_fewer_candidates_exist_all_are_returned(world: str, name: str) -> None:
    source: Source = WORLDS[world].fitted(name)
    for query in WORLDS[world].queries:
        all_of_them = source.top(query.without_memo(), NUM_ITEMS)
        for count in (1, FEW, 4 * FEW) if all_of_them is not None else ():
            found = source.top(query.without_memo(), count)
            assert found is not None
            assert all_of_them is not None
            assert answer(found) == answer(all_of_them.first(count))


@EVERYWHERE
def test_score_gives_a_candidate_the_score_of_top(world: str, name: str) -> None:
    source: Source = WORLDS[world].fitted(name)
    everything = np.arange(NUM_ITEMS)
    for query in WORLDS[world].queries:
        found, score = source.top(query.without_memo(), NUM_ITEMS), source.score(query.without_memo(), everything)
        if score is None:
            assert found is None or type(source).score is Source.score
            continue
        assert score.dtype == np.float64
        assert score.shape == everything.shape
        some = source.score(query.without_memo(), everything[::-3])
        assert some is not None
        assert np.array_equal(some, score[::-3], equal_nan=True)
        if found is not None:
            assert score[found.item_num].tolist() == found.score.tolist()
            others = np.setdiff1d(everything, [*found.item_num.tolist(), *query.exclude.tolist()])
            assert not (score[others] > 0).any()  # NaN: nothing is known about the item


@given(
    st.lists(st.integers(0, len(WORLDS["ratings"].queries) - 1), max_size=40),
    st.integers(1, 30),
    st.sampled_from(CASES),
)
def test_a_batch_gives_the_results_of_single_queries(numbers: list[int], count: int, case: tuple[str, str]) -> None:
    world, source = WORLDS[case[0]], WORLDS[case[0]].fitted(case[1])
    queries = [world.queries[number].without_memo() for number in numbers]
    for query, found in zip(queries, source.top_of_each(queries, count), strict=True):
        assert answer(found) == answer(source.top(query.without_memo(), count))


@EVERYWHERE
def test_only_fallback_sources_know_a_user_without_a_history(world: str, name: str) -> None:
    """Check the sources in use by default; others may know every user."""
    found = WORLDS[world].fitted(name).top(WORLDS[world].stranger([]), FEW)
    roles = SOURCES[name].default_roles
    if Role.FALLBACK in roles or (found is not None and not roles):
        assert found is not None
        assert len(found.item_num) == FEW
    else:
        assert found is None


@EVERYWHERE
def test_an_unknown_user_with_a_history_gets_other_items(world: str, name: str) -> None:
    found = WORLDS[world].fitted(name).top(WORLDS[world].stranger([1, 2, 6]), FEW)
    assert found is not None
    assert len(found.item_num) == FEW
    assert not {1, 2, 6} & set(found.item_num.tolist())


@EVERYWHERE
def test_new_events_of_a_known_user_change_the_candidates(world: str, name: str) -> None:
    source, everything = WORLDS[world].fitted(name), np.arange(NUM_ITEMS)
    known, newer = WORLDS[world].known(0), WORLDS[world].newer(0, [11, 12])
    before, after = (source.score(query, everything) for query in (known, newer))
    assert before is not None
    assert after is not None
    is_for_everybody = source.top(WORLDS[world].stranger([]), FEW) is not None
    assert is_for_everybody == np.array_equal(before, after, equal_nan=True)


@EVERYWHERE
def test_a_repeated_event_counts_once(world: str, name: str) -> None:
    """Repeat an event: only the latest one counts, wherever the others are."""
    if name == "factorization":
        return  # ratings of one item are a matter of the option `duplicates`
    once, twice = WORLDS[world].stranger([4, 9, 2]), WORLDS[world].stranger([2, 4, 9, 2])
    one, other = (WORLDS[world].fitted(name).top(query, FEW) for query in (once, twice))
    assert answer(one) == answer(other)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_predicts_ratings_for_all_items_or_for_none(name: str) -> None:
    source, everything = fitted(name), np.arange(NUM_ITEMS)
    for query in WORLDS["ratings"].queries:
        predicted = source.predicted_rating(query.without_memo(), everything)
        if predicted is not None:
            assert predicted.dtype == np.float64
            assert predicted.shape == everything.shape
            assert np.isfinite(predicted).all()
            some = everything[::3]
            assert np.array_equal(source.predicted_rating(query, some), predicted[::3])
    pairs = source.predict_pairs(np.array([0, -1, 3]), np.array([1, 2, -1]))
    assert pairs is None or (pairs.shape == (3,) and np.isfinite(pairs).all())


def check_reasons(reasons: list[Reason | None], query: Query, count: int) -> None:
    assert len(reasons) == count
    for reason in reasons:
        if reason is not None:
            assert set(reason.item_num) <= set(query.item_num.tolist())
            assert all(isinstance(item, int) for item in reason.item_num)
            assert reason.item_num or reason.text
            assert reason.text == reason.text.strip(". ")
            assert reason.text.isprintable()


@EVERYWHERE
def test_reasons_are_items_of_the_history_or_a_short_text(world: str, name: str) -> None:
    source: Source = WORLDS[world].fitted(name)
    for query in WORLDS[world].queries:
        found = source.top(query.without_memo(), FEW)
        items = [0, 1, 2] if found is None else found.item_num.tolist()
        check_reasons(source.reasons(query.without_memo(), items), query, len(items))
        assert source.reasons(query.without_memo(), []) == []


@EVERYWHERE
def test_only_titles_propose_an_item_without_events_before_all_others(world: str, name: str) -> None:
    """Check that popularity lists items without events last, and that the others leave them out."""
    source: Source = WORLDS[world].fitted(name)
    for query in WORLDS[world].queries:
        found = source.top(query.without_memo(), NUM_HAD - len(query.item_num))
        if found is not None and name not in ("titles", "popularity"):
            assert found.item_num.max(initial=0) < NUM_HAD


# --- what a feature says of candidates ---


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_gives_each_candidate_a_number_from_0_to_1_or_nan(name: str) -> None:
    feature: Feature = fitted(name)
    candidates = Candidates(np.array([5, 2, 9, 11]), np.array([3.0, 2.0, 2.0, -1.0]), "x")
    for query in WORLDS["ratings"].queries:
        score = feature.score(query, candidates)
        if score is not None:
            assert score.dtype == np.float64
            assert score.shape == (4,)
            assert ((score >= 0) & (score <= 1) | np.isnan(score)).all()
        check_reasons(feature.reasons(query, [5, 2]), query, 2)


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_no_candidates_is_empty(name: str) -> None:
    score = fitted(name).score(WORLDS["ratings"].known(0), Candidates(np.empty(0, np.int64), np.empty(0), "x"))
    assert score is None or score.shape == (0,)


# --- what a configuration names ---


def test_options_of_unused_components_are_listed_as_without_effect() -> None:
    config = TrainConfig.from_hyperparameters({"candidate_sources": "popularity", "embedding_dim": 7}, "hp")
    assert config.without_effect == ["embedding_dim"]
    assert config.search_space == {}


@pytest.mark.parametrize("text", ["", "factorisation", "popularity,popularity", "popularity,", 7])
@pytest.mark.parametrize("role", ["candidate_sources", "scored_sources", "fallback_sources"])
def test_the_error_for_unknown_or_repeated_sources_lists_the_sources(role: str, text: object) -> None:
    with pytest.raises(ConfigError, match=rf"'{role}': expected (some of .*popularity|a valid)"):
        TrainConfig.from_hyperparameters({role: text}, "hp")


def test_a_source_that_proposes_and_only_scores_is_refused() -> None:
    both = {"candidate_sources": "ease,popularity", "scored_sources": "ease"}
    with pytest.raises(ConfigError, match="ease is in candidate_sources and in scored_sources: name it in one"):
        TrainConfig.from_hyperparameters(both, "hp")


def test_a_scored_source_is_no_default_candidate_source() -> None:
    config = TrainConfig.from_hyperparameters({"scored_sources": "ease"}, "hp")
    default = TrainConfig()
    assert config.source_names == [name for name in default.source_names if name != "ease"]
    assert config.scored_names == ["ease"]
    assert config.sources.keys() == default.sources.keys()
