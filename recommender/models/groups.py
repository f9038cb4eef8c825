"""Events in groups. A group is a user or a session."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.data.histories import row_offsets, steps
from recommender.data.interactions import Interactions


@dataclass(frozen=True)
class Groups:
    """Events in groups. A group is a user or a session.

    Attributes:
        offsets: (num_groups + 1,) int64; group g's events are offsets[g]:offsets[g + 1].
        item_num: (num_events,) int32, oldest first within a group.
        step: (num_events,) int32, the number of distinct earlier times in the group.
        weight: (num_events,) float32.
    """

    offsets: NDArray[np.int64]
    item_num: NDArray[np.int32]
    step: NDArray[np.int32]
    weight: NDArray[np.float32]

    @classmethod
    def of_users(cls, pairs: Interactions) -> "Groups":
        """Return one group per user; `pairs` comes from `Interactions.pairs`."""
        return cls._at(pairs, row_offsets(pairs.user_num, len(pairs.users)))

    @classmethod
    def of_sessions(cls, pairs: Interactions, gap: float) -> "Groups":
        """Return one group per session. A session is a user's events, each at most `gap` seconds after the previous."""
        unit = pairs.seconds_per_unit or 1.0
        begins = np.ones(len(pairs), bool)
        begins[1:] = np.diff(pairs.time) * unit > gap
        begins[1:] |= pairs.user_num[1:] != pairs.user_num[:-1]
        return cls._at(pairs, np.append(np.flatnonzero(begins), len(pairs)))

    @classmethod
    def _at(cls, pairs: Interactions, offsets: NDArray[np.int64]) -> "Groups":
        if pairs.weight is None:
            weight = np.ones(len(pairs), np.float32)
        else:  # divide by the maximum, so that the scale of the weights does not matter
            weight = pairs.weight / np.float32(max(float(pairs.weight.max(initial=0)), 1e-12))
        return cls(offsets, pairs.item_num.astype(np.int32), steps(offsets, pairs.time), weight)
