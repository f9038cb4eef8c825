"""Items to ask a new user about, so that many users know some of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.data.histories import Histories

SIZE = 100  # questions that a model keeps
POOL = 1_000  # the popular items among which questions are chosen
FACTOR = 0.5  # how much a user counts for the next question after each item that the user has


def questionnaire(
    histories: Histories, num_items: int, first: Sequence[int] = (), count: int = SIZE
) -> NDArray[np.int32]:
    """Choose items one after the other: the next one is that of most users, who count less if they have one before.

    This is popularity times diversity (Rashid et al., Getting to Know You, IUI 2002): diverse are items of different
    users. O(events + count x pool).

    Args:
        histories: of all users.
        num_items: the size of the catalogue.
        first: the first questions, which are chosen already.
        count: the most to choose; fewer if fewer have events.

    Returns:
        Item numbers, (n,) int32, in the order of the questions.
    """
    num_users = len(histories.offsets) - 1
    popular = np.argsort(-np.bincount(histories.item_num, minlength=num_items), kind="stable")[:POOL]
    popular = np.array([*first, *popular[~np.isin(popular, first)]], np.int64)
    place = np.full(num_items, -1)
    place[popular] = np.arange(len(popular))
    own_place = place[histories.item_num]
    user_num = np.repeat(np.arange(num_users), np.diff(histories.offsets))
    keys = np.unique((user_num * len(popular) + own_place)[own_place >= 0])  # an item counts once for a user
    user, item = np.divmod(keys, len(popular))
    of_user = np.searchsorted(user, np.arange(num_users + 1))  # the pool items of each user
    by_item = np.argsort(item, kind="stable")
    of_item = np.searchsorted(item[by_item], np.arange(len(popular) + 1))  # the users of each pool item
    weight = np.ones(num_users)
    gain = np.diff(of_item).astype(np.float64)
    chosen: list[int] = []
    for number in range(min(count, int((gain > 0).sum()))):
        best = number if number < len(first) else int(gain.argmax())
        chosen.append(best)
        for one in user[by_item[of_item[best] : of_item[best + 1]]].tolist():
            gain[item[of_user[one] : of_user[one + 1]]] -= weight[one] * (1 - FACTOR)
            weight[one] *= FACTOR
        gain[best] = -np.inf
    return popular[chosen].astype(np.int32)
