"""Words of interest -> items with titles and attributes that match them."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.attributes.text import TextAttribute
from recommender.attributes.texts import TextsAttribute
from recommender.candidates.fixed_order import FixedOrder
from recommender.candidates.titles import Titles
from recommender.candidates.topk import top_k
from recommender.errors import RequestError
from recommender.models.title_vectors import WORD

INTERESTS = "interests"
STRONG = 0.7  # of the best item's score; a weaker match is none
SHARE = 0.6  # of the response for matching items: 3 of 5
MAX_WORDS = 5  # of an attribute's text that a part of an interest can match
SLIGHTLY = 1e-6  # orders items that match alike


class Interests:
    """Finds the items that a few words describe best.

    An item has the share of the words, weighted by their rarity, that its title has, and 1 more for each attribute with
    a text that the words contain, such as a store. Ties go to the item with more events.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        titles = next((source for source in model.sources.values() if isinstance(source, Titles)), None)
        self._index = None if titles is None else titles.index(model.titles)
        self._attributes = [of for of in model.attributes.values() if isinstance(of, TextAttribute | TextsAttribute)]

    def order(self, interests: Sequence[str]) -> FixedOrder:
        """Return the items that match some interests, the best first; those of several interests alternate.

        Raises:
            RequestError: the model has neither titles nor texts as attributes.
        """
        if self._index is None and not self._attributes:
            raise RequestError("interests", "expected a model that proposes items by their titles (the source titles)")
        orders = [self._matching(interest) for interest in dict.fromkeys(interests)]
        rank = np.concatenate([np.arange(len(order)) for order in orders])
        items, place = np.unique(np.concatenate(orders)[np.argsort(rank, kind="stable")], return_index=True)
        order = items[np.argsort(place)]
        score = np.zeros(len(self._model.items))
        score[order] = 1 - np.arange(len(order)) / max(len(order), 1)
        return FixedOrder(INTERESTS, order, score, "matches the interests")

    def _matching(self, interest: str) -> NDArray[np.int64]:
        """Return the items that match one interest well, best first."""
        score = self._score(interest)
        matching = np.flatnonzero((score > 0) & (score >= STRONG * score.max()))
        return matching[top_k(score[matching], len(matching))]

    def _score(self, interest: str) -> NDArray[np.float64]:
        """Return how well each item matches, (num_items,) float64 from 0; O(items)."""
        score = self._of_titles(interest)
        words = interest.split()
        for attribute in self._attributes:
            for text in _parts(words):
                for variant in dict.fromkeys((text, text.lower(), text.title(), text.capitalize(), text.upper())):
                    score[attribute.with_text(variant)] += 1.0
        num_events = self._model.num_events
        tie = SLIGHTLY * num_events / (num_events.max(initial=0) + 1)
        return np.where(score > 0, score + tie, 0.0)

    def _of_titles(self, interest: str) -> NDArray[np.float64]:
        """Return the share of the words that each item's title has, (num_items,) float64; O(items)."""
        score = np.zeros(len(self._model.items))
        if self._index is None:
            return score
        weights = []
        for word in dict.fromkeys(WORD.findall(interest.lower())):
            item_num = self._index.items_with(word)
            weight = 1 + np.log((1 + len(score)) / (1 + len(item_num)))  # the inverse document frequency
            score[item_num] += weight
            weights.append(weight)
        return score / sum(weights) if weights else score


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Yield all texts of at most `MAX_WORDS` neighbouring words."""
    for begin in range(len(words)):
        for end in range(begin + 1, min(begin + MAX_WORDS, len(words)) + 1):
            yield " ".join(words[begin:end])
