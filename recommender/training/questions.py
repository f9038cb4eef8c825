"""Questions for a new user, chosen by what the answers are good for."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.base import Source
from recommender.components.query import Query
from recommender.data.histories import History
from recommender.training.judge import Judge

POOL = 300  # the popular items among which questions are chosen
HITS = 10  # recommendations among which a target counts as found


def useful_questions(judge: Judge, sources: Mapping[str, Source], ndcg: Mapping[str, float]) -> list[int]:
    """Return items, best first: answers about them find the next events of most users.

    An answer is one event. It finds a user's target if the target is among the first `HITS` candidates of the best
    source for a history of this event alone. Each next item is that of most users with a target that no answer before
    it finds. An item that many users have may say little about what they want next.

    Args:
        judge: the users with their targets.
        sources: fitted without the targets.
        ndcg: source -> its NDCG on the targets.
    """
    best = max((name for name in sources if name in ndcg), key=lambda name: ndcg[name], default=None)
    if best is None or not len(judge.targets):
        return []
    data = judge.context.data
    count = np.bincount(data.item_num, minlength=len(data.items))
    pool = np.argsort(-count, kind="stable")[:POOL]
    users = np.array([-1 if query.user_num is None else query.user_num for query in judge.queries])
    target_of = dict(zip(users.tolist(), judge.targets.tolist(), strict=True))
    asked = np.isin(data.user_num, users) & np.isin(data.item_num, pool)
    item_num, user_num = data.item_num[asked], data.user_num[asked]
    has = {int(item): user_num[item_num == item] for item in pool[count[pool] > 0]}
    found: dict[int, set[int]] = {}
    for item, owners in has.items():
        candidates = _candidates(sources[best], item, judge)
        found[item] = {user for user in owners.tolist() if target_of.get(user) in candidates}
    chosen: list[int] = []
    done: set[int] = set()
    while found:
        item = max(found, key=lambda item: (len(found[item] - done), count[item], -item))
        if not found[item] - done:
            break
        chosen.append(item)
        done |= found.pop(item)
    return chosen


def _candidates(source: Source, item: int, judge: Judge) -> set[int]:
    """Return the first candidates for a user with one event."""
    item_num = np.array([item], np.int32)
    event = History(item_num, np.array([np.nan], np.float32), np.ones(1, np.int32), np.ones(1, np.float32))
    has_clock = judge.context.has_clock
    candidates = source.top(Query(None, event, has_clock, True, item_num, in_session=has_clock), HITS)
    numbers: NDArray[np.int64] = np.empty(0, np.int64) if candidates is None else candidates.item_num
    return set(numbers.tolist())
