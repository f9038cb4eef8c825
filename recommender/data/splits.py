r"""Protocols that hold out events to compare recommenders.

Events of a user often have equal times: a shop writes the same time on all rows of an order. The order of such rows
in the file, or of their item IDs, does not show which item the user chose last. So they are sorted by a seeded hash,
then by rating and weight. The hash is SHA-256 of the UTF-8 text ``<seed>\n<user_id>\n<item_id>``, as lower-case hex
digits. It only compares events of one user, so line breaks in IDs do not make the text ambiguous.
"""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions


@dataclass(frozen=True)
class Split:
    """The parts of a data set; `train` has every user and item of the other parts.

    Attributes:
        train: ratings to fit.
        validation: ratings to choose hyper-parameters with; empty if the protocol has no validation.
        test: ratings for the final measurement.
    """

    train: Interactions
    validation: Interactions
    test: Interactions


def split_leave_one_out(data: Interactions, *, validation: bool = False, seed: int = 0) -> Split:
    """Hold out each user's last rating for test (the paper's section 2.2, step 4); see `leave_one_out`.

    Args:
        data: all ratings.
        validation: also hold out the last remaining rating of each user in the same way.
        seed: seed of the order of a user's ratings with equal times.
    """
    rest, test = _split(data, leave_one_out(data, seed))
    held_out = leave_one_out(rest, seed) if validation else np.zeros(len(rest), bool)
    return Split(*_split(rest, held_out), test)


def split_next_basket(data: Interactions, gap: float) -> Split:
    """Hold out each user's last session for test: the next order in a shop, or the next visit to a site.

    A rating of the session stays in train if no remaining rating has its item. A user's only session is never held
    out, so that no user becomes unknown. O(n log n).

    Args:
        data: all ratings.
        gap: consecutive ratings of a user belong to one session if less than this time passes between them, in the
            unit of `data.time`. Ratings with equal times always belong to one session.

    Returns:
        Train, no validation, and test.

    Raises:
        ValueError: the gap is negative.
    """
    if not gap >= 0:
        raise ValueError(f"gap: expected at least 0, got {gap}")
    order = _by_user_and_time(data)
    user = data.user_num[order]
    session = np.cumsum(_session_starts(data, order, gap))
    of_user = np.cumsum(_starts(user)) - 1
    first_session, last_session = session[_starts(user)][of_user], session[_ends(_starts(user))][of_user]
    last = np.zeros(len(data), bool)
    last[order] = (session == last_session) & (session > first_session)
    train, test = _split(data, _known_to_rest(data, last))
    return Split(train, data.where(np.zeros(len(data), bool)), test)


def split_at_time(data: Interactions, time: int, validation_time: int | None = None) -> Split:
    """Split at one point in time for all users, like a service deployed then: train has no later information.

    Args:
        data: all ratings.
        time: the beginning of test, in the unit of `data.time`.
        validation_time: the beginning of validation, at most `time`; by default no validation.

    Returns:
        Train has the earlier ratings; the others have the later ratings of users and items in train. O(num_ratings).

    Raises:
        ValueError: `validation_time` is after `time`.
    """
    begin = time if validation_time is None else validation_time
    if begin > time:
        raise ValueError(f"validation_time: expected at most `time`, which is {time}, got {begin}")
    train, later = _split(data, data.time >= begin)
    known_user = np.bincount(train.user_num, minlength=len(data.users)) > 0
    known_item = np.bincount(train.item_num, minlength=len(data.items)) > 0
    known = later.where(known_user[later.user_num] & known_item[later.item_num])
    return Split(train, *_split(known, known.time >= time))


def time_share(data: Interactions, share: float) -> int:
    """Return the time at which the newest `share` of the events begins, for `split_at_time`; O(n).

    The number of newest events is rounded, and at least 1. The result is the latest time that has at least this many
    events at or after it; with equal times it may have more.

    Raises:
        ValueError: the share is not above 0 and at most 1, or there are no events.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: expected a number above 0 and at most 1, got {share}")
    if not len(data):
        raise ValueError("data: expected at least one event, got none")
    oldest = len(data) - max(1, round(share * len(data)))
    return int(np.partition(data.time, oldest)[oldest])


def split_for_choice(
    data: Interactions, seed: int, min_history: int = 4, most: int | None = None, gap: float | None = None
) -> Split:
    """Hold out one late event per user, to compare recommenders inside the training data.

    The target of a user is the last event that meets all of these conditions:

    1. Its item is new to the user.
    2. Another user has the item too.
    3. The user has at least `min_history` earlier events.

    The user's events after the target are left out. With `gap`, half of the users begin a new session: all events of
    the target's session are left out too, if `min_history` events precede the session. A user has no target if no
    train event has its item any more. Users without a target keep all events. O(n log n).

    Args:
        data: the training data.
        seed: seed of the order of a user's events with equal times, and of the users drawn for `most` and `gap`.
        min_history: minimum number of earlier events of the user, at least 1.
        most: maximum number of targets, drawn uniformly from the users that can have one; by default no maximum.
        gap: as in `split_next_basket`; by default no sessions are left out.

    Returns:
        Train, no validation, and the targets as test, one per user.

    Raises:
        ValueError: `min_history` or `most` is too small.
    """
    if min_history < 1:
        raise ValueError(f"min_history: expected at least 1, got {min_history}")
    if most is not None and most < 0:
        raise ValueError(f"most: expected at least 0, got {most}")
    order = _by_user_and_time(data)
    order = _with_ties_broken(data, order, _ties_at_targets(data, order, min_history), seed)
    user, item = data.user_num[order], data.item_num[order]
    targets = _last_of_users(user, _new_and_shared(data, order) & (_num_earlier(user) >= min_history))
    if most is not None and most < len(targets):
        targets = np.sort(np.random.default_rng(seed).choice(targets, most, replace=False))
    ends = targets if gap is None else _ends_of_histories(data, order, targets, min_history, gap, seed)
    remaining = np.bincount(item[_before_ends(user, ends)], minlength=len(data.items))
    is_known = remaining[item[targets]] > 0
    targets, ends = targets[is_known], ends[is_known]
    train, test = np.zeros(len(data), bool), np.zeros(len(data), bool)
    train[order[_before_ends(user, ends)]] = True
    test[order[targets]] = True
    return Split(data.where(train), data.where(np.zeros(len(data), bool)), data.where(test))


def leave_one_out(data: Interactions, seed: int = 0) -> NDArray[np.bool_]:
    """Mark each user's last rating, if user and item both occur in the remaining ratings.

    The paper's section 2.2, step 4: set apart the last rating of every user, then put it back if no remaining rating
    has its item. A user's only rating is never held out, so that no user becomes unknown. In the paper's data no user
    has two items at the last time, so its test set is the same for every seed. O(n log n).

    Args:
        data: all ratings.
        seed: seed of the order of a user's ratings with equal times.

    Returns:
        (num_ratings,) bool, true for held-out ratings.
    """
    held_out = np.zeros(len(data), bool)
    order = _by_user_and_time(data)
    starts = _starts(data.user_num[order])
    ends = _ends(starts)
    time = data.time[order]
    last_time = time[ends][np.cumsum(starts) - 1]
    order = _with_ties_broken(data, order, time == last_time, seed)
    held_out[order[ends & ~starts]] = True
    return _known_to_rest(data, held_out)


def _known_to_rest(data: Interactions, held_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the held-out ratings with an item that also occurs in the remaining ratings."""
    remaining = np.bincount(data.item_num[~held_out], minlength=len(data.items))
    return held_out & (remaining[data.item_num] > 0)


def _split(data: Interactions, held_out: NDArray[np.bool_]) -> tuple[Interactions, Interactions]:
    return data.where(~held_out), data.where(held_out)


def _by_user_and_time(data: Interactions) -> NDArray[np.int64]:
    """Return the rows sorted by user, then time; rows with equal user and time are in any order."""
    if not len(data):
        return np.zeros(0, np.int64)
    first = int(data.time.min())
    span = int(data.time.max()) - first + 1
    if span * len(data.users) < 2**63:  # one key sorts five times as fast as two
        return np.argsort(data.user_num * span + (data.time - first))
    return np.lexsort((data.time, data.user_num))


def _with_ties_broken(
    data: Interactions, order: NDArray[np.int64], wanted: NDArray[np.bool_], seed: int
) -> NDArray[np.int64]:
    """Return the order after sorting events with equal user and time by hash, rating and weight.

    Args:
        data: the events.
        order: their rows by user and time.
        wanted: (num_events,) bool, by position in `order`: where to sort. Hashes are costly, and few positions matter.
        seed: seed of the hashes.
    """
    starts = _starts(data.user_num[order], data.time[order])
    tied = wanted & ~(starts & _ends(starts))
    rows = order[tied]
    ties = [column[rows] for column in (data.weight, data.rating) if column is not None]
    keys = (*ties, _hashes(data, rows, seed), data.time[rows], data.user_num[rows])
    sorted_order = order.copy()
    sorted_order[tied] = rows[np.lexsort(keys)]
    return sorted_order


def _hashes(data: Interactions, rows: NDArray[np.int64], seed: int) -> NDArray[np.bytes_]:
    """Return the hashes that order events with equal user and time; bytes sort in the order of their hex digits."""
    users, items, prefix = data.users.table, data.items.table, b"%d\n" % seed
    pairs = zip(data.user_num[rows].tolist(), data.item_num[rows].tolist(), strict=True)
    return np.array([sha256(b"%b%b\n%b" % (prefix, users[user], items[item])).digest() for user, item in pairs], "S32")


def _ties_at_targets(data: Interactions, order: NDArray[np.int64], min_history: int) -> NDArray[np.bool_]:
    """Mark, by position in `order`, each user's events of the latest time that can contain the target.

    The order within this time decides which event is the target. Earlier times need no order: if no event of this
    time has a long enough history, no earlier event has one.
    """
    user = data.user_num[order]
    starts = _starts(user, data.time[order])
    group = np.cumsum(starts) - 1
    longest_history = _num_earlier(user)[_ends(starts)][group]
    last = _last_of_users(user, _new_and_shared(data, order) & (longest_history >= min_history))
    decides = np.zeros(starts.sum(), bool)
    decides[group[last]] = True
    return decides[group]


def _new_and_shared(data: Interactions, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark, by position in `order`, events with an item that is new to the user and that another user has too."""
    item = data.item_num[order]
    pair = data.user_num[order] * len(data.items) + item
    by_pair = np.argsort(pair, kind="stable")
    new = np.zeros(len(data), bool)
    new[by_pair[_starts(pair[by_pair])]] = True
    num_users = np.bincount(item[new], minlength=len(data.items))
    return new & (num_users[item] > 1)


def _num_earlier(user: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the same user's events before each position, for events sorted by user."""
    position = np.arange(len(user))
    return position - np.maximum.accumulate(np.where(_starts(user), position, 0))


def _session_starts(data: Interactions, order: NDArray[np.int64], gap: float) -> NDArray[np.bool_]:
    """Mark, by position in `order`, the first event of each session; see `split_next_basket`."""
    begins, pause = _starts(data.user_num[order]), np.diff(data.time[order])
    begins[1:] |= (pause > 0) & (pause >= gap)
    return begins


def _ends_of_histories(
    data: Interactions, order: NDArray[np.int64], targets: NDArray[np.int64], min_history: int, gap: float, seed: int
) -> NDArray[np.int64]:
    """Return where each target's history ends: before the target, or for half of the targets before its session."""
    begins = np.flatnonzero(_session_starts(data, order, gap))
    first = begins[np.searchsorted(begins, targets, side="right") - 1]
    is_new = np.random.default_rng([seed, 1]).permutation(len(targets)) % 2 == 0
    return np.where(is_new & (_num_earlier(data.user_num[order])[first] >= min_history), first, targets)


def _last_of_users(user: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the last wanted position of each user, for events sorted by user."""
    positions = np.flatnonzero(wanted)
    return positions[_ends(_starts(user[positions]))]


def _before_ends(user: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the positions before their user's entry in `ends`; mark all positions of a user without an entry."""
    end = np.full(user.max(initial=-1) + 1, len(user))
    end[user[ends]] = ends
    return np.arange(len(user)) < end[user]


def _starts(*columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the first position of each run of equal neighbours."""
    starts = np.zeros(len(columns[0]), bool)
    starts[:1] = True
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def _ends(starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the last position of each run: the next position, or position 0 after the end, starts a run."""
    return np.roll(starts, -1)
