"""What the scores of recommended items are mainly made of."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from recommender.candidates.base import Source
from recommender.candidates.fixed_order import FixedOrder
from recommender.components.base import Reason
from recommender.components.query import Query
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.models.title_vectors import WORD
from recommender.pipeline.rankers import Ranked
from recommender.pipeline.recommendations import Because
from recommender.ranking.base import Feature

Part = Source | Feature | FixedOrder  # what gives a part of a score
MAX_PARTS = 3
MIN_SHARE = 0.1  # smaller parts are left out
SHARES = 10_000  # a share has four digits
MAX_WORDS = 5
MIN_WEIGHT = 0.5  # of the most telling shared word's; "for" and "with" say nothing compared with "sequin"


def explain(
    query: Query,
    ranked: Ranked,
    places: slice,
    parts: Mapping[str, Part],
    items: Vocabulary,
    titles: StringTable,
) -> list[list[Because]]:
    """Return the reasons of some ranked items, those of the largest parts of the score.

    Args:
        query: of the ranked items.
        ranked: the items and the parts of their scores.
        places: positions of the items to explain.
        parts: the sources and features.
        items: IDs of the items.
        titles: of the items.
    """
    numbers = ranked.item_num[places]
    found: list[list[Because]] = [[] for _ in numbers]
    if not len(numbers) or not ranked.parts:
        return found
    values = np.maximum([of_part[places] for of_part in ranked.parts.values()], 0.0)
    total = values.sum(axis=0)

    @cache  # an item of the history is a reason of several items
    def words_of(number: int) -> list[str]:
        return WORD.findall(titles.text(number).lower())

    shares = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    for name, of_part in zip(ranked.parts, shares, strict=True):
        wanted = np.flatnonzero(of_part >= MIN_SHARE)
        reasons = parts[name].reasons(query, numbers[wanted].tolist()) if len(wanted) else []
        for place, reason in zip(wanted.tolist(), reasons, strict=True):
            if reason is not None:
                words = _shared_words(parts[name], titles, int(numbers[place]), reason, words_of)
                item_ids = [items.id(number) for number in reason.item_num]
                share = int(of_part[place] * SHARES + 1e-6) / SHARES  # rounded down: their sum is 1 at most
                found[place].append(Because(name, share, item_ids, words, reason.text or None))
    return [sorted(of_item, key=lambda because: -because.share)[:MAX_PARTS] for of_item in found]


def _shared_words(
    part: Part, titles: StringTable, item: int, reason: Reason, words_of: Callable[[int], Sequence[str]]
) -> Sequence[str]:
    """Return the words of the item's title that those of the reason's items have, too, the most telling first.

    Words that are much less telling than the first one are left out; without weights, all words tell alike.
    """
    if not part.is_content:
        return []
    others = {word for number in reason.item_num for word in words_of(number)}
    shared = [word for word in dict.fromkeys(words_of(item)) if word in others]
    weights = part.word_weights(item, titles.text(item)) if len(shared) > 1 else {}
    shared.sort(key=lambda word: -weights.get(word, 1.0))
    return [word for word in shared if weights.get(word, 1.0) >= MIN_WEIGHT * weights.get(shared[0], 1.0)][:MAX_WORDS]
