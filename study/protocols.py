"""Protocols: which events are held out, for test and in the same way inside train to choose by."""

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
    """Return the protocol by which the product chooses, too; see `split_for_choice`."""
    return lambda data: split_for_choice(data, SEED, min_history)


def last_of_file(data: Interactions) -> Split:
    """Hold out each user's last event; of equal times the largest item ID, by which many files are sorted.

    So the largest code of a basket is the test. It is kept to compare with earlier figures.
    """
    position = np.empty(len(data), np.int64)
    position[np.lexsort((data.item_num, data.time))] = np.arange(len(data))
    return parted(data, leave_one_out(replace(data, time=position)))


def last_events(data: Interactions) -> Split:
    """Hold out the last event of each user, also if train does not know its item: the protocol of Amazon Beauty 2014.

    Times are positions in the user's sequence, so they have no ties.
    """
    last = np.full(len(data.users), np.iinfo(np.int64).min)
    np.maximum.at(last, data.user_num, data.time)
    return parted(data, data.time == last[data.user_num])


def newest(data: Interactions) -> Split:
    """Hold out all events from one point in time on; test has each user's first new item from then on.

    The newest `NEWEST` of the events are held out, together with events of the same time as the oldest of them. Test
    has users and items that train knows, and of each user the first event with an item that is new to the user.
    """
    split = split_at_time(data, time_share(data, NEWEST))
    new = split.test.where(~np.isin(pairs(split.test), pairs(split.train)))
    return replace(split, test=new.where(_at_the_end(new, -new.time)))


def next_basket(data: Interactions) -> Split:
    """Hold out each user's last session, which ends where nothing follows for `SESSION_HOURS`; see the product's split.

    Raises:
        ValueError: the times are an order without a unit.
    """
    if data.seconds_per_unit is None:
        raise ValueError("expected times in seconds or a similar unit, got an order without a unit")
    return split_next_basket(data, SESSION_HOURS * 3600 / data.seconds_per_unit)


def cold_items(data: Interactions, seed: int = SEED) -> Split:
    """Make a share of the items cold: train has none of their events; test has each user's last one.

    Train has nothing later than a user's test event. Users need an event with another item that is not later.
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
    """Make other items cold, inside the train part of `cold_items`."""
    return cold_items(train, SEED + 1)


def parted(data: Interactions, held_out: NDArray[np.bool_]) -> Split:
    """Return the split with these events as test."""
    return Split(data.where(~held_out), _none(data), data.where(held_out))


def pairs(data: Interactions) -> NDArray[np.int64]:
    """Return a number for each pair of user and item, (num_events,)."""
    return data.user_num * len(data.items) + data.item_num


def _at_the_end(data: Interactions, time: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark each user's last event by these times; equal times in a random, seeded order of the items."""
    tie = np.random.default_rng(SEED).permutation(len(data.items))[data.item_num]
    order = np.lexsort((tie, time, data.user_num))
    user = data.user_num[order]
    last = np.zeros(len(data), bool)
    last[order[np.append(user[1:] != user[:-1], True)[: len(user)]]] = True
    return last


def _none(data: Interactions) -> Interactions:
    return data.where(np.zeros(len(data), bool))
