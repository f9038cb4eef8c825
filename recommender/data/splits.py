r"""Held-out ratings: the protocols by which recommenders are compared.

Events of a user often share their time: a shop writes the same time on all rows of an order. The order of such
rows in the file, or of their item IDs, says nothing of what the user chose last. So they are sorted by a seeded
hash: SHA-256 of the UTF-8 text `<seed>\n<user_id>\n<item_id>`, as lower-case hex digits, then by rating and
weight. Only events of one user are compared, so the text has one meaning, also if IDs contain line breaks.
"""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions


@dataclass(frozen=True)
class Split:
    """Ratings to fit, to choose by, and to measure on once; `train` has every user and item of the others.

    Attributes:
        train: ratings to fit.
        validation: ratings to choose hyper-parameters by; empty if the protocol has none.
        test: ratings to measure on.
    """

    train: Interactions
    validation: Interactions
    test: Interactions


def split_leave_one_out(data: Interactions, *, validation: bool = False, seed: int = 0) -> Split:
    """Hold out each user's last rating for test (the paper's section 2.2, step 4); see `leave_one_out`.

    Args:
        data: all ratings.
        validation: also hold out the last remaining rating of each user in the same way.
        seed: orders ratings of one user and time.
    """
    rest, test = _parted(data, leave_one_out(data, seed))
    held_out = leave_one_out(rest, seed) if validation else np.zeros(len(rest), bool)
    return Split(*_parted(rest, held_out), test)


def split_next_basket(data: Interactions, gap: float) -> Split:
    """Hold out each user's last session for test: a shop's next order, a site's next visit.

    Ratings of the session with an item that has no rating in the remainder go back to train. A user's only session
    is never held out, so that no user becomes unknown. O(n log n).

    Args:
        data: all ratings.
        gap: consecutive ratings of a user with less than this between them are one session, in the unit of
            `data.time`; those of one time always are.

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
    train, test = _parted(data, _known_to_rest(data, last))
    return Split(train, data.where(np.zeros(len(data), bool)), test)


def split_at_time(data: Interactions, time: int, validation_time: int | None = None) -> Split:
    """Split at a global point in time, as for a service deployed then: train has no later information.

    Args:
        data: all ratings.
        time: the beginning of test, in the unit of `data.time`.
        validation_time: the beginning of validation, before `time`; no validation by default.

    Returns:
        Train has the earlier ratings; the others have the later ratings of users and items in train. O(num_ratings).

    Raises:
        ValueError: validation would begin after test.
    """
    begin = time if validation_time is None else validation_time
    if begin > time:
        raise ValueError(f"validation_time: expected at most `time`, which is {time}, got {begin}")
    train, later = _parted(data, data.time >= begin)
    known_user = np.bincount(train.user_num, minlength=len(data.users)) > 0
    known_item = np.bincount(train.item_num, minlength=len(data.items)) > 0
    known = later.where(known_user[later.user_num] & known_item[later.item_num])
    return Split(train, *_parted(known, known.time >= time))


def time_share(data: Interactions, share: float) -> int:
    """Return the time that has the newest `share` of the events at or after it, as for `split_at_time`; O(n).

    The number of those events is rounded, and at least 1. With equal times it may be larger: the time is the latest
    one that has at least so many events at or after it.

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
    """Hold out one later event per user, so that recommenders can be compared inside the training data.

    The target of a user is the last event with an item that the user has not had before and that another user has
    too, after at least `min_history` earlier events. The user's later events are left out. With `gap`, half of the
    users begin a session: all events of the target's session are left out, if `min_history` events precede them. If
    no train event has the item of a target any more, its user has no target. Users without a target keep all events.
    O(n log n).

    Args:
        data: the training data.
        seed: orders events of one user and time, and draws the users for `most` and `gap`.
        min_history: minimum number of earlier events of the user, at least 1.
        most: maximum number of targets, drawn uniformly from the users who could have one; no maximum by default.
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
    order = _with_ties_broken(data, order, _may_decide(data, order, min_history), seed)
    user, item = data.user_num[order], data.item_num[order]
    targets = _last_of_users(user, _new_and_shared(data, order) & (_num_earlier(user) >= min_history))
    if most is not None and most < len(targets):
        targets = np.sort(np.random.default_rng(seed).choice(targets, most, replace=False))
    ends = targets if gap is None else _ends_of_histories(data, order, targets, min_history, gap, seed)
    remaining = np.bincount(item[_before(user, ends)], minlength=len(data.items))
    is_known = remaining[item[targets]] > 0
    targets, ends = targets[is_known], ends[is_known]
    train, test = np.zeros(len(data), bool), np.zeros(len(data), bool)
    train[order[_before(user, ends)]] = True
    test[order[targets]] = True
    return Split(data.where(train), data.where(np.zeros(len(data), bool)), data.where(test))


def leave_one_out(data: Interactions, seed: int = 0) -> NDArray[np.bool_]:
    """Mark each user's last rating, if user and item both occur in the remaining ratings.

    The paper's section 2.2, step 4: set apart the last rating of every user, then put back those with an item
    that has no rating in the remainder. A user's only rating is never held out, so that no user becomes unknown.
    The paper's data has no two items at a user's last time, so its test set is the same for every seed. O(n log n).

    Args:
        data: all ratings.
        seed: orders ratings of one user and time.

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
    """Return the held-out ratings with an item that also occurs in the remaining ratings."""
    remaining = np.bincount(data.item_num[~held_out], minlength=len(data.items))
    return held_out & (remaining[data.item_num] > 0)


def _parted(data: Interactions, held_out: NDArray[np.bool_]) -> tuple[Interactions, Interactions]:
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
    """Return the order with the events of one user and time sorted by hash, rating and weight.

    Args:
        data: the events.
        order: their rows by user and time.
        wanted: (num_events,) bool by position in `order`: sort here. Hashes are costly; few positions matter.
        seed: of the hashes.
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
    """Return the hashes that order events of one user and time; as bytes they have the order of their hex digits."""
    users, items, prefix = data.users.table, data.items.table, b"%d\n" % seed
    pairs = zip(data.user_num[rows].tolist(), data.item_num[rows].tolist(), strict=True)
    return np.array([sha256(b"%b%b\n%b" % (prefix, users[user], items[item])).digest() for user, item in pairs], "S32")


def _may_decide(data: Interactions, order: NDArray[np.int64], min_history: int) -> NDArray[np.bool_]:
    """Mark, by position in `order`, the events of each user's last time that may have a target for choice.

    The order within that time decides which event is the target. If it leaves all candidates with too short a
    history, those of earlier times have a shorter one.
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
    """Mark, by position in `order`, events with an item that is new to their user and that another user has too."""
    item = data.item_num[order]
    pair = data.user_num[order] * len(data.items) + item
    by_pair = np.argsort(pair, kind="stable")
    new = np.zeros(len(data), bool)
    new[by_pair[_starts(pair[by_pair])]] = True
    num_users = np.bincount(item[new], minlength=len(data.items))
    return new & (num_users[item] > 1)


def _num_earlier(user: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the same user's events before each position, for events sorted by user."""
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
    """Return the position before which each target's history ends: its own, or for half of them its session's first."""
    begins = np.flatnonzero(_session_starts(data, order, gap))
    first = begins[np.searchsorted(begins, targets, side="right") - 1]
    is_new = np.random.default_rng([seed, 1]).permutation(len(targets)) % 2 == 0
    return np.where(is_new & (_num_earlier(data.user_num[order])[first] >= min_history), first, targets)


def _last_of_users(user: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the last wanted position of each user, for events sorted by user."""
    positions = np.flatnonzero(wanted)
    return positions[_ends(_starts(user[positions]))]


def _before(user: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the positions before the one of these that their user has, all of a user without one."""
    end = np.full(user.max(initial=-1) + 1, len(user))
    end[user[ends]] = ends
    return np.arange(len(user)) < end[user]


def _starts(*columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the first of equal neighbours."""
    starts = np.zeros(len(columns[0]), bool)
    starts[:1] = True
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def _ends(starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the last of equal neighbours: the next one, or the end of all, starts another run."""
    return np.roll(starts, -1)
