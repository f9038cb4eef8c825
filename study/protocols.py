"""Protocols: which events are held out as test, and in the same way inside train as validation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recommender.data.clock import SESSION_SECONDS
from recommender.data.interactions import Interactions
from recommender.data.splits import Split, leave_one_out, split_at_time, split_for_choice, split_next_basket, time_share

SEED = 0
NEWEST = 0.2  # share of the events that a time split holds out
SESSION_HOURS = SESSION_SECONDS // 3600  # the orders of one day are one session
COLD = 0.1  # share of the items that are cold
Protocol = Callable[[Interactions], Split]


def choice(min_history: int) -> Protocol:
    """Return the protocol that training jobs use for validation; see `split_for_choice`."""
    return lambda data: split_for_choice(data, SEED, min_history)


def last_of_file(data: Interactions) -> Split:
    """Hold out each user's last event; among equal times the one with the largest item ID.

    Many files are sorted by item ID, so test is the largest code of a basket. The study keeps this protocol to compare
    with earlier results.
    """
    position = np.empty(len(data), np.int64)
    position[np.lexsort((data.item_num, data.time))] = np.arange(len(data))
    return parted(data, leave_one_out(replace(data, time=position)))


def last_events(data: Interactions) -> Split:
    """Hold out each user's last event, even if train does not know its item: the protocol of Amazon Beauty 2014.

    Times are positions in the user's sequence, so no two are equal.
    """
    last = np.full(len(data.users), np.iinfo(np.int64).min)
    np.maximum.at(last, data.user_num, data.time)
    return parted(data, data.time == last[data.user_num])


def newest(data: Interactions) -> Split:
    """Hold out all events from one point in time on; test has each user's first new item from then on.

    A share of `NEWEST` of the events is held out, and all events at the same time as the oldest of these. Test has only
    users and items that train knows. It keeps each user's first event with an item that is new to the user.
    """
    split = split_at_time(data, time_share(data, NEWEST))
    new = split.test.where(~np.isin(pairs(split.test), pairs(split.train)))
    return replace(split, test=new.where(_at_the_end(new, -new.time)))


def next_basket(data: Interactions) -> Split:
    """Hold out each user's last session; `SESSION_HOURS` without an event end a session. See `split_next_basket`.

    Raises:
        ValueError: the times are positions without a unit.
    """
    if data.seconds_per_unit is None:
        raise ValueError("the next basket needs times with a unit, such as seconds, but these are positions")
    return split_next_basket(data, SESSION_HOURS * 3600 / data.seconds_per_unit)


def cold_items(data: Interactions, seed: int = SEED) -> Split:
    """Make `COLD` of the items cold: train has none of their events, and test has each user's last one.

    Train has no event of a user after the user's test event. A user without any train event is not in test.
    """
    known = np.unique(data.item_num)
    cold = np.random.default_rng(seed).choice(known, int(len(known) * COLD), replace=False)
    is_cold = np.isin(data.item_num, cold)
    of_cold = data.where(is_cold)
    test = of_cold.where(_at_the_end(of_cold, of_cold.time))
    end = np.full(len(data.users), np.iinfo(np.int64).max)
    end[test.user_num] = test.time
    train = data.where(~is_cold & (data.time <= end[data.user_num]))
    return Split(train, _none(data), test.where(np.isin(test.user_num, train.user_num)))


def cold_items_again(train: Interactions) -> Split:
    """Hold out validation events in the train part of `cold_items`: make other items cold."""
    return cold_items(train, SEED + 1)


def parted(data: Interactions, held_out: NDArray[np.bool_]) -> Split:
    """Return a split with these events as test and the others as train."""
    return Split(data.where(~held_out), _none(data), data.where(held_out))


def pairs(data: Interactions) -> NDArray[np.int64]:
    """Return the number of each event's pair of user and item, (num_events,)."""
    return data.user_num * len(data.items) + data.item_num


def _at_the_end(data: Interactions, time: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark each user's last event by these times; a seeded random order of the items breaks ties."""
    tie = np.random.default_rng(SEED).permutation(len(data.items))[data.item_num]
    order = np.lexsort((tie, time, data.user_num))
    user = data.user_num[order]
    last = np.zeros(len(data), bool)
    last[order[np.append(user[1:] != user[:-1], True)[: len(user)]]] = True
    return last


def _none(data: Interactions) -> Interactions:
    return data.where(np.zeros(len(data), bool))
