"""Item-to-item tables, compared with pairs counted in plain Python; compiled code in threads and processes."""

import hashlib
import multiprocessing
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import row_offsets, steps
from recommender.models import neighbour_table as module
from recommender.models.groups import Groups
from recommender.models.neighbour_table import NEGLIGIBLE, PairWeights, neighbour_table
from recommender.models.table import Table

FEW = 6  # items of the random groups
Row = list[tuple[int, float]]
Event = tuple[int, int, float]  # item, 1 if it is later than the previous event (else 0), weight

# Powers of two: sums are exact in any order, and many are equal.
pair_weights = st.builds(
    PairWeights,
    length_power=st.sampled_from([0.0, 1.0, 2.0]),
    popularity_power=st.sampled_from([0.0, 0.5, 1.0]),
    distance_decay=st.sampled_from([1.0, 0.5, 0.05]),
    backward=st.sampled_from([1.0, 0.5, 0.0]),
)
events = st.tuples(st.integers(0, FEW - 1), st.integers(0, 1), st.sampled_from([1.0, 0.5, 0.25]))
several_groups = st.lists(st.lists(events, max_size=10), max_size=6)


def groups_of(several: list[list[Event]]) -> Groups:
    """Return lists of events as groups."""
    offsets = np.cumsum([0, *map(len, several)])
    step = [sum(apart for _, apart, _ in group[1 : place + 1]) for group in several for place in range(len(group))]
    item_num, weight = ([event[column] for group in several for event in group] for column in (0, 2))
    return Groups(offsets, np.array(item_num, np.int32), np.array(step, np.int32), np.array(weight, np.float32))


def factor(steps_apart: int, weights: PairWeights) -> float:
    """Return the factor of a pair with a second event `steps_apart` steps after the first one."""
    decayed = weights.distance_decay ** max(abs(steps_apart) - 1, 0)
    return 0.0 if decayed < NEGLIGIBLE else decayed * (weights.backward if steps_apart < 0 else 1.0)


def reference(several: list[list[Event]], weights: PairWeights, num_neighbours: int, window: int) -> list[Row]:
    """Count every pair of events, as the docstring of the module says."""
    total = np.zeros((FEW, FEW))
    for group in several:
        step = np.cumsum([apart for _, apart, _ in group])
        for a, (one, _, weight) in enumerate(group):
            for b, (other, _, other_weight) in enumerate(group):
                if one != other and abs(a - b) <= window:
                    gain = weight * other_weight * len(group) ** -weights.length_power
                    total[one, other] += gain * factor(int(step[b] - step[a]), weights)
    count = np.bincount([item for group in several for item, _, _ in group], minlength=FEW)
    total *= np.maximum(count, 1.0) ** -weights.popularity_power
    rows = [[(item, float(score)) for item, score in enumerate(row) if score > 0] for row in total]
    return [sorted(row, key=lambda entry: (-entry[1], entry[0]))[:num_neighbours] for row in rows]


def rows_of(table: Table) -> list[Row]:
    """Return the rows of a table as lists of items and scores."""
    pairs = list(zip(table.item_num.tolist(), table.score.tolist(), strict=True))
    return [pairs[begin:end] for begin, end in zip(table.offsets[:-1], table.offsets[1:], strict=True)]


@given(several_groups, pair_weights, st.integers(1, FEW), st.sampled_from([1, 2, 500]))
def test_a_row_has_the_neighbours_with_the_highest_sums_of_pairs(
    several: list[list[Event]], weights: PairWeights, num_neighbours: int, window: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", window)
        found = rows_of(neighbour_table(groups_of(several), FEW, weights, num_neighbours))
        everything = rows_of(neighbour_table(groups_of(several), FEW, weights, FEW))
    expected = reference(several, weights, FEW, window)
    for row, all_of_row, wanted in zip(found, everything, expected, strict=True):
        assert dict(all_of_row) == pytest.approx(dict(wanted), rel=1e-6)
        assert row == all_of_row[:num_neighbours]
        assert [-score for _, score in row] == sorted(-score for _, score in row)


@given(several_groups.filter(lambda several: all(len(group) in (0, 1, 2, 4, 8) for group in several)), pair_weights)
def test_ties_are_ordered_by_item_number(several: list[list[Event]], weights: PairWeights) -> None:
    """Use groups of 1, 2, 4 and 8 events: every number is exact, so equal scores are ties."""
    exact = PairWeights(weights.length_power, 0.0, 0.5 if weights.distance_decay < 1 else 1.0, weights.backward)
    assert rows_of(neighbour_table(groups_of(several), FEW, exact, 3)) == reference(several, exact, 3, 500)


@given(several_groups, pair_weights, st.sets(st.integers(0, FEW - 1)))
def test_rows_that_are_computed_alone_equal_those_of_the_whole_table(
    several: list[list[Event]], weights: PairWeights, wanted: set[int]
) -> None:
    groups, some = groups_of(several), np.array(sorted(wanted), np.int64)
    all_rows = rows_of(neighbour_table(groups, FEW, weights, 3))
    found = rows_of(neighbour_table(groups, FEW, weights, 3, some))
    assert found == [row if item in wanted else [] for item, row in enumerate(all_rows)]


def test_events_further_apart_than_the_window_are_not_a_pair() -> None:
    length = module.WINDOW + 2
    offsets, item_num = np.array([0, length]), np.arange(length, dtype=np.int32)
    groups = Groups(offsets, item_num, np.arange(length, dtype=np.int32), np.ones(length, np.float32))
    rows = rows_of(neighbour_table(groups, length, PairWeights(length_power=0.0), length))
    assert {item for item, _ in rows[0]} == set(range(1, length - 1))
    assert {item for item, _ in rows[length - 1]} == set(range(1, length - 1))
    assert {item for item, _ in rows[1]} == {0, *range(2, length)}


NUM_ITEMS = 6_000  # several blocks of rows
WEIGHTS = PairWeights(length_power=0.5, popularity_power=0.3, distance_decay=0.9, backward=0.5)


def random_groups(num_events: int = 60_000, num_groups: int = 8_000) -> Groups:
    """Return random groups with some items more frequent than others."""
    random = np.random.default_rng(0)
    offsets = row_offsets(np.sort(random.integers(0, num_groups, num_events)), num_groups)
    item_num = (NUM_ITEMS * random.beta(1, 4, num_events)).astype(np.int32)
    return Groups(offsets, item_num, steps(offsets, np.arange(num_events)), random.random(num_events, np.float32))


def digest_of_a_table() -> str:
    """Return the SHA-256 of the table of `random_groups`."""
    table = neighbour_table(random_groups(), NUM_ITEMS, WEIGHTS, 50)
    arrays = (table.offsets, table.item_num, table.score)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def test_the_table_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = set()
    for threads in (1, 2, 8, 8, 8):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, threads=threads: range(threads))
        digests.add(digest_of_a_table())
    assert len(digests) == 1


def test_a_forked_process_makes_the_same_table() -> None:
    own = digest_of_a_table()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(digest_of_a_table) == own


def test_the_number_of_torchs_threads_does_not_change() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    digest_of_a_table()
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)
