"""A request in the form that sources and features take."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_ITEMS, NO_RATINGS = np.empty(0, np.int32), np.empty(0, np.float32)


@dataclass(frozen=True)
class Query:
    """A user, the user's history, and the items to leave out.

    Attributes:
        user_num: the user's row in training; None for an unknown user.
        item_num: (n,) int32, the history, oldest first: known events, then those of the request.
        rating: (n,) float32, the ratings of the history.
        has_new_events: whether the request has events that are not in the training data.
        exclude: item numbers to leave out.
        memo: intermediate results of a source for this query.
    """

    user_num: int | None = None
    item_num: NDArray[np.int32] = field(default_factory=lambda: NO_ITEMS)
    rating: NDArray[np.float32] = field(default_factory=lambda: NO_RATINGS)
    has_new_events: bool = False
    exclude: NDArray[np.integer] = field(default_factory=lambda: NO_ITEMS)
    memo: dict[str, Any] = field(default_factory=dict, repr=False)
