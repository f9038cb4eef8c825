"""Targets inside the training data: a judge knows the earlier events and must not know later ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.worlds import NUM_ITEMS, WORLDS, World, at_distinct_times, frame

from recommender.candidates.base import Candidates, Source
from recommender.components.fit_context import FitContext
from recommender.data.clock import SESSION_SECONDS
from recommender.data.interactions import Interactions
from recommender.evaluation.ranking import NOT_RANKED
from recommender.training import judge as module
from recommender.training.judge import Judge, ndcg_of_ranks, ranks_of

NOON = 1_600_000_000

events = st.lists(
    st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh"), st.integers(0, 9)), min_size=1, max_size=60
)
Row = tuple[str, str, int]


def data_of(rows: Sequence[Row], clock: bool = True) -> Interactions:
    """Return events an hour apart per step; without a clock, events with step numbers as times."""
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    table["timestamp"] = (NOON if clock else 0) + table["timestamp"] * (3_600 if clock else 1)
    return Interactions.from_frame(table)


def judge_of(rows: Sequence[Row], clock: bool = True, seed: int = 0) -> Judge:
    """Return the judge of events."""
    return Judge.of(FitContext(data_of(rows, clock)), seed)


def users_of(judge: Judge) -> list[int]:
    """Return the users of a judge's requests, in order."""
    return [query.user_num for query in judge.queries if query.user_num is not None]


@given(events, st.booleans())
def test_the_target_and_later_events_of_its_user_are_not_known(rows: list[Row], clock: bool) -> None:
    judge, data = judge_of(rows, clock), data_of(rows, clock)
    known = judge.context.data
    for query, target in zip(judge.queries, judge.targets.tolist(), strict=True):
        own = data.user_num == query.user_num
        when = data.time[own & (data.item_num == target)]
        before = known.time[known.user_num == query.user_num]
        assert target not in query.item_num.tolist()
        assert len(query.item_num) >= 1
        assert before.max() <= when.min()  # the first event with this item is the target
        assert len(before) == len(query.item_num)
        assert target in known.item_num  # another user has it


@given(events)
def test_a_request_has_the_time_of_its_target(rows: list[Row]) -> None:
    judge, data = judge_of(rows), data_of(rows)
    newest = int(judge.context.data.time.max())
    for query, target in zip(judge.queries, judge.targets.tolist(), strict=True):
        when = int(data.time[(data.user_num == query.user_num) & (data.item_num == target)].min()) - newest
        assert query.now == when >= query.history.time[-1]
        assert query.in_session == (when - query.history.time[-1] < SESSION_SECONDS)
        assert set(query.exclude.tolist()) == set(query.item_num.tolist())


def test_half_of_the_requests_begin_a_session_and_half_are_within_one() -> None:
    rows = [(f"u{user}", f"i{(user + item) % 30:02d}", 20 * (item // 4)) for user in range(40) for item in range(12)]
    judge = judge_of(rows)
    in_session = [query.in_session for query in judge.queries]
    assert sum(in_session) == len(in_session) - sum(in_session) == 20


@given(events)
def test_without_a_clock_a_request_has_no_time(rows: list[Row]) -> None:
    judge = judge_of(rows, clock=False)
    assert not judge.context.has_clock
    assert not any(query.in_session for query in judge.queries)
    assert {query.now for query in judge.queries} <= {None}


@given(events)
def test_users_without_a_target_keep_all_their_events(rows: list[Row]) -> None:
    judge, data = judge_of(rows), data_of(rows)
    with_target = users_of(judge)
    assert len(set(with_target)) == len(with_target)
    others = ~np.isin(data.user_num, with_target)
    kept = judge.context.data.where(~np.isin(judge.context.data.user_num, with_target))
    assert sorted(zip(kept.user_num, kept.item_num, kept.time, strict=True)) == sorted(
        zip(data.user_num[others], data.item_num[others], data.time[others], strict=True)
    )


@given(events, st.integers(0, 3), st.randoms())
def test_the_judge_is_the_same_each_time_and_does_not_depend_on_the_order_of_the_rows(
    rows: list[Row], seed: int, random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))
    one, same, other = judge_of(rows, seed=seed), judge_of(rows, seed=seed), judge_of(shuffled, seed=seed)
    for again in (same, other):
        assert dict(zip(users_of(again), again.targets.tolist(), strict=True)) == dict(
            zip(users_of(one), one.targets.tolist(), strict=True)
        )
    assert users_of(same) == users_of(one)


@given(events)
def test_the_wanted_items_are_the_items_of_all_histories(rows: list[Row]) -> None:
    judge = judge_of(rows)
    wanted = judge.context.wanted_items
    assert wanted is not None
    expected = {item for query in judge.queries for item in query.item_num.tolist()}
    assert wanted.tolist() == sorted(expected)


def test_histories_of_one_event_count_only_if_there_are_few_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [(f"s{user}", item, place) for user in range(5) for place, item in enumerate("ab")]
    long = [(f"l{user}", item, place) for user in range(5) for place, item in enumerate("abcdef")]
    short += [("one", "f", 0), ("other", "f", 0), ("one", "b", 1)]  # these make `f` known without the targets
    assert len(judge_of([*short, *long]).targets) == 11
    monkeypatch.setattr(module, "FEW", 5)
    assert len(judge_of([*short, *long]).targets) == 5


def big() -> World:
    """Return a world with events at distinct times."""
    return World.of(at_distinct_times(frame()))


def test_of_many_targets_a_random_sample_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Judge.of(big().context, 0)
    monkeypatch.setattr(module, "MAX_TARGETS", 12)
    some = Judge.of(big().context, 0)
    assert len(some.targets) == 12 < len(everything.targets)
    assert set(users_of(some)) < set(users_of(everything))
    assert users_of(Judge.of(big().context, 1)) != users_of(some)
    times = [query.now for query in some.queries if query.now is not None]
    assert len(times) == 12


def test_options_are_chosen_on_evenly_spread_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge.of(big().context, 0)
    monkeypatch.setattr(module, "MAX_FOR_OPTIONS", 5)
    small = judge.for_options
    places = [users_of(judge).index(user) for user in users_of(small)]
    assert places == np.linspace(0, len(judge.targets) - 1, 5).astype(int).tolist()
    assert small.targets.tolist() == judge.targets[places].tolist()
    assert small.context is judge.context  # both share intermediate results


@settings(max_examples=20)
@given(st.integers(0, 5_000), st.integers(0, 3))
def test_with_too_many_pairs_options_are_chosen_on_all_users_with_a_target_and_a_sample_of_others(
    most_pairs: int, seed: int
) -> None:
    judge = Judge.of(big().context, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_PAIRS", most_pairs)
        patch.setattr(module, "MAX_FOR_OPTIONS", 5)
        small, again = judge.for_options, replace(judge).for_options
    data, all_data = small.context.data, judge.context.data
    count, full = np.bincount(data.user_num, minlength=40), np.bincount(all_data.user_num, minlength=40)
    targeted = users_of(small)
    assert set(count[count > 0].tolist()) <= set(full.tolist())
    assert (count[targeted] == full[targeted]).all()
    assert all(own in (0, of_all) for own, of_all in zip(count.tolist(), full.tolist(), strict=True))
    others = np.delete(count, targeted)
    budget = max(0, most_pairs - int((full[targeted] ** 2).sum()))
    assert (others**2).sum() <= budget
    assert np.array_equal(again.context.data.user_num, data.user_num)


# --- ranks ---


class Finds:
    """A source with the target of each request at its position; None: no candidates."""

    target_ranks: Any = Source.target_ranks

    def __init__(self, targets: NDArray[np.int64], positions: Sequence[int | None]) -> None:
        self._targets, self._positions = targets, positions

    def top_of_each(self, queries: Sequence[object], count: int) -> Iterator[Candidates | None]:
        for target, position in zip(self._targets.tolist(), self._positions, strict=True):
            others = [item for item in range(NUM_ITEMS * 3) if item != target]
            items = others[:position] + ([] if position is None else [target]) + others[position or 0 :]
            if position is None:
                yield None
            else:
                yield Candidates(np.array(items[:count]), np.arange(count, 0, -1.0), "x")


@given(st.lists(st.none() | st.integers(0, 120), min_size=1, max_size=8))
def test_ndcg_follows_from_the_positions(positions: list[int | None]) -> None:
    targets = np.arange(len(positions))
    ranks = ranks_of(Finds(targets, positions).top_of_each(positions, 100), targets)
    found = [position is not None and position < 100 for position in positions]
    assert ranks.tolist() == [p if ok else NOT_RANKED for p, ok in zip(positions, found, strict=True)]
    expected = [1 / np.log2((p or 0) + 2) if ok else 0 for p, ok in zip(positions, found, strict=True)]
    assert ndcg_of_ranks(ranks).tolist() == pytest.approx(expected)


def test_the_ndcg_of_a_source_depends_on_the_positions_of_its_targets() -> None:
    judge = Judge.of(WORLDS["ratings"].context, 0)
    first = replace(judge, queries=judge.queries[:3], targets=judge.targets[:3])
    perfect, half, none = ([0, 0, 0], [2, 2, 2], [None, None, None])
    for positions, expected in ((perfect, 1.0), (half, 0.5), (none, 0.0)):
        source: Any = Finds(first.targets, positions)
        assert first.ndcg(source) == expected
    assert replace(judge, queries=[], targets=judge.targets[:0]).ndcg(WORLDS["ratings"].fitted("popularity")) == 0
