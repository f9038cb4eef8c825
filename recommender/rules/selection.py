"""Ranked candidates -> the items of a response: caps, lanes and diversity, one place after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.models.title_vectors import TitleVectors
from recommender.rules.base import Cap, Lane

Doubles = NDArray[np.float64]
Items = NDArray[np.int64]
NOTHING_TAKEN = np.empty(0, np.int64)


@dataclass(frozen=True)
class Selected:
    """The chosen candidates.

    Attributes:
        place: (n,) int64, their positions in the list of candidates, in the order of the response.
        rule: (n,) the rule that gave the item its place; None: its score.
    """

    place: NDArray[np.int64]
    rule: Sequence[str | None]


@dataclass(frozen=True)
class Selection:
    """How to choose the items of a response from ranked candidates.

    Attributes:
        caps: limits on items that are in one response together.
        lanes: shares that are kept for some items.
        weight: of dissimilarity, from 0 to 1.
        vectors: that tell it; None if the weight is 0.
    """

    caps: Sequence[Cap] = ()
    lanes: Sequence[Lane] = ()
    weight: float = 0.0
    vectors: TitleVectors | None = None

    @property
    def keeps_order(self) -> bool:
        """Whether the best candidates by score are chosen, in this order."""
        return not self.caps and not self.lanes and not self.weight

    def select(
        self,
        item_num: Items,
        score: Doubles,
        count: int,
        lane_scores: Mapping[str, Doubles],
        taken: Items = NOTHING_TAKEN,
    ) -> Selected:
        """Choose at most `count` candidates; O(count x candidates).

        Args:
            item_num: (n,), the candidates, best first.
            score: (n,), descending.
            count: the most to choose.
            lane_scores: rule -> the scores by which the lane orders its candidates, (n,); -inf for those that it does
                not propose. A lane without an entry orders them by `score`.
            taken: items that caps count as in the response already.
        """
        size = min(count, len(item_num))
        if self.keeps_order:
            return Selected(np.arange(size), [None] * size)
        making = _List(self, item_num, score, size, lane_scores, taken)
        while len(making.chosen) < size and making.add_next():
            pass
        return Selected(np.array(making.chosen, np.int64), making.rules)


class _List:
    """A list while it is made.

    Attributes:
        chosen: positions of the chosen candidates.
        rules: the rule that gave each its place; None: its score.
    """

    def __init__(
        self,
        how: Selection,
        item_num: Items,
        score: Doubles,
        size: int,
        lane_scores: Mapping[str, Doubles],
        taken: Items,
    ) -> None:
        self.chosen: list[int] = []
        self.rules: list[str | None] = []
        self._size, self._weight = size, how.weight
        self._is_free = np.ones(len(item_num), bool)
        self._tallies = [cap.begin(item_num, taken) for cap in how.caps]
        self._lanes = [_Place(lane, item_num, lane_scores.get(lane.rule, score), size) for lane in how.lanes]
        self._relevance = _scaled(score)
        self._penalty = _Penalty(item_num, how.vectors) if how.vectors is not None and how.weight else None

    def add_next(self) -> bool:
        """Choose the candidate of the next place; return whether there was one."""
        is_open = self._is_free.copy()
        for tally in self._tallies:
            is_open &= tally.is_open
        best, rule = self._best(is_open, self._relevance), None
        if best is None:
            return False
        lane = _due([lane for lane in self._lanes if (is_open & lane.mask).any()], len(self.chosen))
        if lane is not None and not lane.mask[best]:
            best, rule = self._best(is_open & lane.mask, lane.relevance), lane.rule
            assert best is not None
        self._take(best, rule)
        return True

    def _best(self, is_open: NDArray[np.bool_], relevance: Doubles) -> int | None:
        """Return the open candidate of the largest value, the first of several; None if none is open."""
        value = relevance
        if self._penalty is not None:
            value = (1 - self._weight) * relevance - self._weight * self._penalty.similarity
        value = np.where(is_open, value, -np.inf)
        best = int(value.argmax())
        return best if value[best] > -np.inf else None

    def _take(self, place: int, rule: str | None) -> None:
        self.chosen.append(place)
        self.rules.append(rule)
        self._is_free[place] = False
        for tally in self._tallies:
            tally.take(place)
        for lane in self._lanes:
            lane.count += bool(lane.mask[place])
        if self._penalty is not None:
            self._penalty.add(place)


class _Place:
    """A lane while a list is made.

    Attributes:
        rule: the name of the rule.
        mask: (n,) bool, the candidates of the lane.
        relevance: (n,) float64, their scores from 0 to 1; of no meaning for others.
        count: how many were taken.
        needed: (size + 1,) int64, how many of the first n items must be of the lane.
    """

    def __init__(self, lane: Lane, item_num: Items, score: Doubles, size: int) -> None:
        self.rule = lane.rule
        self.mask = lane.mask[item_num] & (score > -np.inf)
        self.relevance = _scaled(np.where(self.mask, score, 0.0))
        self.count = 0
        self.needed = np.floor(lane.share * np.arange(size + 1) + 1e-9).astype(np.int64)

    @property
    def deadline(self) -> int:
        """How many items the response may have when the lane gets its next one; more than all if it needs no more."""
        return int(np.searchsorted(self.needed, self.count, side="right"))


def _due(lanes: Sequence[_Place], num_chosen: int) -> _Place | None:
    """Return the lane that the next place must be kept for; None if another item can have it.

    It must be kept if the first n items, for some n, have no more places than the lanes still need there. The lane with
    the earliest deadline is first, so that all lanes get what they need if that is possible.
    """
    if not lanes:
        return None
    missing = sum(np.maximum(lane.needed - lane.count, 0) for lane in lanes)
    places = np.arange(len(missing)) - num_chosen
    if not (missing >= places)[num_chosen + 1 :].any():
        return None
    lane = min(lanes, key=lambda lane: lane.deadline)
    return lane if lane.deadline < len(lane.needed) else None


class _Penalty:
    """The largest similarity of each candidate's title and one that was chosen."""

    def __init__(self, item_num: Items, vectors: TitleVectors) -> None:
        self._item_num, self._vectors = item_num, vectors
        self.similarity = np.zeros(len(item_num))
        self._dense = np.zeros(vectors.num_terms)

    def add(self, place: int) -> None:
        """Take a chosen candidate into account."""
        item, vectors = self._item_num[place], self._vectors
        own = slice(vectors.offsets[item], vectors.offsets[item + 1])
        self._dense[vectors.term[own]] = vectors.weight[own]
        np.maximum(self.similarity, vectors.similarity(self._item_num, self._dense), out=self.similarity)
        self._dense[vectors.term[own]] = 0.0


def _scaled(score: Doubles) -> Doubles:
    """Return scores from 0 to 1, in the same order."""
    finite = score[np.isfinite(score)]
    if not len(finite) or finite.min() == finite.max():
        return np.zeros(len(score))
    return np.clip((score - finite.min()) / (finite.max() - finite.min()), 0.0, 1.0)
