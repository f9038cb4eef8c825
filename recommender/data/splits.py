"""Held-out ratings: the protocols by which recommenders are compared."""

from dataclasses import dataclass

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


def split_leave_one_out(data: Interactions, *, validation: bool = False) -> Split:
    """Hold out each user's last rating for test (the paper's section 2.2, step 4); see `leave_one_out`.

    Args:
        data: all ratings.
        validation: also hold out the last remaining rating of each user in the same way.
    """
    rest, test = _parted(data, leave_one_out(data))
    held_out = leave_one_out(rest) if validation else np.zeros(len(rest), bool)
    return Split(*_parted(rest, held_out), test)


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


def leave_one_out(data: Interactions) -> NDArray[np.bool_]:
    """Mark each user's last rating, if user and item both occur in the remaining ratings.

    The paper's section 2.2, step 4: set apart the last rating of every user, then put back those with an item
    that has no rating in the remainder. Among equal times the greater item ID is the last, then the higher rating,
    as in `prepare.steps`, so that the result does not depend on input order. A user's only rating is never held
    out, so that no user becomes unknown. O(n log n).

    Returns:
        (num_ratings,) bool, true for held-out ratings.
    """
    held_out = np.zeros(len(data), bool)
    ties = () if data.rating is None else (data.rating,)
    order = np.lexsort((*ties, data.item_num, data.time, data.user_num))
    user = data.user_num[order]
    is_last = np.append(user[1:] != user[:-1], True)
    is_first = np.append(True, user[1:] != user[:-1])
    held_out[order[is_last & ~is_first]] = True
    remaining = np.bincount(data.item_num[~held_out], minlength=len(data.items))
    return held_out & (remaining[data.item_num] > 0)


def _parted(data: Interactions, held_out: NDArray[np.bool_]) -> tuple[Interactions, Interactions]:
    return data.where(~held_out), data.where(held_out)
