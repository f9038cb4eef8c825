"""What is held out of the ratings."""

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions


def leave_one_out(data: Interactions) -> NDArray[np.bool_]:
    """Mark each user's last rating, where user and item both occur in what remains.

    The paper's section 2.2, step 4: the last rating of every user is set apart; those of them whose item
    is not rated by anybody in the remainder go back. Of equal times the later row of the input is the
    last. A user's only rating is never held out, so that nobody becomes unknown. O(n log n).

    Returns:
        (num_ratings,) bool, true where held out.
    """
    held_out = np.zeros(len(data), bool)
    order = np.lexsort((data.time, data.user_num))
    user = data.user_num[order]
    is_last = np.append(user[1:] != user[:-1], True)
    is_first = np.append(True, user[1:] != user[:-1])
    held_out[order[is_last & ~is_first]] = True
    remaining = np.bincount(data.item_num[~held_out], minlength=len(data.items))
    return held_out & (remaining[data.item_num] > 0)
