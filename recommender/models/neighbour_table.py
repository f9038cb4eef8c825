"""Item-to-item tables: the best neighbours of every item, counted over users or over sessions.

An event pair (i, j) of one group counts w_i w_j / length^p; length is the group's number of events. Each further step
between the two multiplies this by `distance_decay`. If the neighbour j came first, it is multiplied by `backward`. The
sum over all groups is multiplied by n_j^-b, with n_j the number of events of j. A row keeps its best neighbours; ties
are ordered by item number.

Two events of a group more than `WINDOW` events apart are not a pair. So the time is at most O(events x window); in
practice it is the number of pairs. Each thread takes O(items) memory, in addition to the events and the table.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.common.cores import available_cores
from recommender.models.compiled import compiled
from recommender.models.groups import Groups
from recommender.models.table import Table

WINDOW = 500  # an event is paired with at most this many events of its group before it, and after it
NEGLIGIBLE = 1e-4  # a pair with a lower decay factor does not count
ROWS_AT_ONCE = 2048

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class PairWeights:
    """The parameters of an event pair's weight; see the module's docstring for the formula."""

    length_power: float = 1.0
    popularity_power: float = 0.0
    distance_decay: float = 1.0
    backward: float = 1.0


def neighbour_table(
    groups: Groups, num_items: int, weights: PairWeights, num_neighbours: int, rows: NDArray[np.integer] | None = None
) -> Table:
    """Return the neighbours of the items `rows` (ascending; None: all). Other rows are empty."""
    wanted = np.arange(num_items) if rows is None else rows.astype(np.int64)
    lengths = np.diff(groups.offsets)
    offsets, by_item = _by_item(groups.item_num, num_items)
    shared = (
        groups.offsets,
        groups.item_num,
        groups.step,
        groups.weight,
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        by_item,
        offsets,
        np.maximum(lengths, 1).astype(np.float64) ** -weights.length_power,
        np.maximum(np.diff(offsets), 1).astype(np.float64) ** -weights.popularity_power,
        _distance_factors(weights.distance_decay),
        weights.backward,
        WINDOW,
        num_neighbours,
    )
    parts = [wanted[begin : begin + ROWS_AT_ONCE] for begin in range(0, len(wanted), ROWS_AT_ONCE)]
    length = np.zeros(num_items, np.int64)
    item_num, score = bytearray(), bytearray()  # these grow in place, which saves a second copy
    with ThreadPoolExecutor(available_cores()) as pool:
        for part, (of_row, items, scores) in zip(
            parts, pool.map(lambda part: _rows(part, *shared), parts), strict=True
        ):
            length[part] = of_row
            item_num.extend(items.data)
            score.extend(scores.data)
    ends = np.concatenate([[0], np.cumsum(length)])
    return Table(ends, np.frombuffer(item_num, np.int32), np.frombuffer(score, np.float32))


def _distance_factors(decay: float) -> Doubles:
    """Return the decay factor of each distance, from one step, up to the last one above `NEGLIGIBLE`."""
    reach = WINDOW if decay >= 1 else min(WINDOW, int(np.log(NEGLIGIBLE) / np.log(max(decay, NEGLIGIBLE))) + 1)
    return decay ** np.arange(reach, dtype=np.float64)


@compiled
def _by_item(item_num: Int32s, num_items: int) -> tuple[Int64s, Int32s]:
    """Return the offsets of each item's events, (num_items + 1,), and the events sorted by item."""
    offsets = np.zeros(num_items + 1, np.int64)
    for item in item_num:
        offsets[item + 1] += 1
    for item in range(num_items):
        offsets[item + 1] += offsets[item]
    place, events = offsets[:-1].copy(), np.empty(len(item_num), np.int32)
    for event in range(len(item_num)):
        item = item_num[event]
        events[place[item]] = event
        place[item] += 1
    return offsets, events


@compiled
def _add_pairs(
    event: int,
    begin: int,
    stop: int,
    own: float,
    item_num: Int32s,
    step: Int32s,
    weight: Floats,
    factor: Doubles,
    backward: float,
    total: Doubles,
    touched: Int32s,
    count: int,
) -> int:
    """Add the pairs of an event to its row. Return the new number of touched items."""
    for other in range(begin, stop):
        j = item_num[other]
        steps_apart = step[other] - step[event]
        distance = max(abs(steps_apart) - 1, 0)
        if j == item_num[event] or distance >= len(factor):
            continue
        gain = own * weight[other] * factor[distance] * (backward if steps_apart < 0 else 1.0)
        if gain > 0:
            if total[j] == 0:
                touched[count] = j
                count += 1
            total[j] += gain
    return count


@compiled
def _is_worse(value: float, item: int, other_value: float, other_item: int) -> bool:
    """Return whether an item ranks below another one. Ties are ordered by item number."""
    return value < other_value or (value == other_value and item > other_item)


@compiled
def _push(size: int, value: float, item: int, values: Doubles, items: Int32s) -> None:
    """Add an item to a heap of `size` items. The root of the heap is the worst item."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if not _is_worse(value, item, values[parent], items[parent]):
            break
        values[place], items[place] = values[parent], items[parent]
        place = parent
    values[place], items[place] = value, item


@compiled
def _replace_root(size: int, value: float, item: int, values: Doubles, items: Int32s) -> None:
    """Replace the root of a heap of `size` items. The root of the heap is the worst item."""
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _is_worse(values[child + 1], items[child + 1], values[child], items[child]):
            child += 1
        if not _is_worse(values[child], items[child], value, item):
            break
        values[place], items[place] = values[child], items[child]
        place = child
    values[place], items[place] = value, item


@compiled
def _rows(
    rows: Int64s,
    offsets: Int64s,
    item_num: Int32s,
    step: Int32s,
    weight: Floats,
    group_of: Int32s,
    by_item: Int32s,
    item_offsets: Int64s,
    of_length: Doubles,
    of_popularity: Doubles,
    factor: Doubles,
    backward: float,
    window: int,
    num_neighbours: int,
) -> tuple[Int64s, Int32s, Floats]:
    """Return the length of each row, then the neighbours and the scores of all rows, row by row."""
    num_items = len(item_offsets) - 1
    total, touched = np.zeros(num_items), np.empty(num_items, np.int32)
    length = np.zeros(len(rows), np.int64)
    limit = min(num_neighbours, num_items)
    items, scores = np.empty(len(rows) * limit, np.int32), np.empty(len(rows) * limit, np.float32)
    best_value, best_item = np.empty(limit), np.empty(limit, np.int32)
    end = 0
    for r in range(len(rows)):
        count = 0
        for place in range(item_offsets[rows[r]], item_offsets[rows[r] + 1]):
            event = by_item[place]
            group = group_of[event]
            begin, stop = max(offsets[group], event - window), min(offsets[group + 1], event + window + 1)
            own = of_length[group] * weight[event]
            count = _add_pairs(event, begin, stop, own, item_num, step, weight, factor, backward, total, touched, count)
        size = 0
        for j in touched[:count]:
            value = total[j] * of_popularity[j]
            total[j] = 0.0
            if size < limit:
                _push(size, value, j, best_value, best_item)
                size += 1
            elif _is_worse(best_value[0], best_item[0], value, j):
                _replace_root(size, value, j, best_value, best_item)
        for last in range(size - 1, -1, -1):  # move the worst remaining item to the end of the row
            items[end + last], scores[end + last] = best_item[0], best_value[0]
            _replace_root(last, best_value[last], best_item[last], best_value, best_item)
        length[r] = size
        end += size
    return length, items[:end].copy(), scores[:end].copy()
