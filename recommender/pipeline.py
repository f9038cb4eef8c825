"""From a shopper to recommendations: look up or fold in -> recall -> rerank -> reasons.

No Flask and no torch here: the same object answers HTTP requests and is what `evaluation` measures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender import artifacts
from recommender.artifacts import Model
from recommender.config import SERVE
from recommender.errors import RequestError
from recommender.models.factors import Floats, fold_in
from recommender.recall.exact import ExactRecall
from recommender.recall.popularity import Popularity
from recommender.rerank.order import rank

NOTHING, NOTHING_RATED = np.empty(0, np.int32), np.empty(0, np.float32)


class Source(StrEnum):
    """Where an answer comes from: the trained user, a user solved on the spot, or popularity."""

    MODEL = "model"
    FOLD_IN = "fold_in"
    POPULAR = "popular"


@dataclass(frozen=True)
class Event:
    """A rating that comes with the request."""

    item_id: str
    rating: float


@dataclass(frozen=True)
class RecommendedItem:
    """One recommendation.

    Attributes:
        item_id: the item.
        title: None where unknown.
        score: what the final order is by; descending, but for items without a title, which follow
            the others when the rerank goes by titles alone.
        predicted_rating: of the model, not clipped to the rating scale; None for a popular item of a model
            without biases.
        similarity: cosine of the title and the shopper's profile, 0..1; None where either is unknown.
        because: item_id of the shopper's history whose title weighs most; None where no title does.
    """

    item_id: str
    title: str | None
    score: float
    predicted_rating: float | None
    similarity: float | None
    because: str | None


@dataclass(frozen=True)
class Recommendations:
    """An answer: items, best first, and where they come from."""

    user_id: str
    source: Source
    items: list[RecommendedItem]


@dataclass(frozen=True)
class _Shopper:
    """A user as the model sees one: history (oldest first), embedding and bias."""

    source: Source
    item_num: NDArray[np.int32]
    rating: Floats
    embedding: Floats
    bias: float


@dataclass(frozen=True)
class _Ranked:
    """The candidates in the final order, (n,) each; the similarity is NaN where there is none.

    `recall_position` is where recall had them, from 0.
    """

    item_num: NDArray[np.int64]
    recall_position: NDArray[np.int64]
    score: NDArray[np.float64]
    predicted_rating: NDArray[np.float64]
    similarity: NDArray[np.float64]


class Recommender:
    """Answers for any user of a loaded model; stateless between calls."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._recall = ExactRecall(model.factors)
        self._popularity = Popularity(model.item_count)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From a model folder.

        Raises:
            ArtifactError: see `artifacts.load`.
        """
        return cls(artifacts.load(folder))

    def recommend(
        self,
        user_id: str,
        history: Sequence[Event] = (),
        *,
        top_k: int = SERVE.top_k,
        num_candidates: int = SERVE.num_candidates,
        exclude_seen: bool = SERVE.exclude_seen,
    ) -> Recommendations:
        """Recommend at most `top_k` items; fewer only where the catalogue has no more.

        Args:
            user_id: any string; an unknown one is not an error.
            history: events that the model has not seen, oldest first. They are added to a known user's
                own; the newest rating of an item wins; unknown items are left out.
            top_k: items in the answer.
            num_candidates: items that recall hands to the rerank.
            exclude_seen: leave out the items of the shopper's history.

        Raises:
            RequestError: a rating of `history` is out of the model's range.
        """
        shopper = self._shopper(user_id, history)
        if shopper is None:
            return Recommendations(user_id, Source.POPULAR, self._popular(top_k))
        ranked = self._rank(shopper, num_candidates, exclude_seen)
        return Recommendations(user_id, shopper.source, self._describe(shopper, ranked, top_k))

    def orders(self, user_id: str, num_candidates: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same item numbers in the final order, as `recommend` answers them, and in the order of recall."""
        shopper = self._shopper(user_id, ())
        if shopper is None:
            popular = self._popularity.top(num_candidates)[0]
            return popular, popular
        ranked = self._rank(shopper, num_candidates, exclude_seen=True)
        return ranked.item_num, ranked.item_num[np.argsort(ranked.recall_position)]

    def ranked_for_users(
        self, user_num: NDArray[np.integer], num_candidates: int, top_k: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
        """What `recommend` answers known users, many at once.

        Returns:
            Of each user in order (item_num, score, predicted_rating), at most `top_k` long.
        """
        shoppers = [self._known(int(number)) for number in user_num]
        seen = [shopper.item_num for shopper in shoppers]
        recalled = self._recall.top_of_each(self.model.factors.user_embedding[user_num], num_candidates, seen)
        for shopper, (item_num, recall_score) in zip(shoppers, recalled, strict=True):
            ranked = self._reranked(shopper, item_num, recall_score)
            yield ranked.item_num[:top_k], ranked.score[:top_k], ranked.predicted_rating[:top_k]

    def _known(self, user_num: int) -> _Shopper:
        factors = self.model.factors
        item_num, rating = self.model.histories.of(user_num)
        bias = float(factors.user_bias[user_num])
        return _Shopper(Source.MODEL, item_num, rating, factors.user_embedding[user_num], bias)

    def _shopper(self, user_id: str, history: Sequence[Event]) -> _Shopper | None:
        user_num = self.model.users.number(user_id)
        events = self._known_events(history)
        if user_num is None:
            if not events or not self.model.config.has_closed_form:
                return None
            return self._folded_in(*_with_events(events, NOTHING, NOTHING_RATED))
        known = self._known(user_num)
        if not events:
            return known
        kept = ~np.isin(known.item_num, list(events))
        item_num, rating = _with_events(events, known.item_num[kept], known.rating[kept])
        if self.model.config.has_closed_form:
            return self._folded_in(item_num, rating)
        return replace(known, item_num=item_num, rating=rating)

    def _known_events(self, history: Sequence[Event]) -> dict[int, float]:
        config = self.model.config
        events: dict[int, float] = {}
        for position, event in enumerate(history):
            if not config.rating_min <= event.rating <= config.rating_max:
                raise RequestError(
                    f"history[{position}].rating",
                    f"expected a number from {config.rating_min:g} to {config.rating_max:g}, got {event.rating:g}",
                )
            item_num = self.model.items.number(event.item_id)
            if item_num is not None:
                events.pop(item_num, None)  # the newest rating takes the newest place
                events[item_num] = event.rating
        return events

    def _folded_in(self, item_num: NDArray[np.int32], rating: Floats) -> _Shopper:
        """The shopper with this history, solved on the spot."""
        factors, config = self.model.factors, self.model.config
        embedding, bias = fold_in(
            factors.item_embedding(item_num),
            factors.item_bias[item_num].astype(np.float64),
            rating.astype(np.float64) - factors.global_mean,
            config.regularization,
            config.bias_regularizations[0],
        )
        return _Shopper(Source.FOLD_IN, item_num, rating, embedding, bias)

    def _rank(self, shopper: _Shopper, num_candidates: int, exclude_seen: bool) -> _Ranked:
        seen = shopper.item_num if exclude_seen else None
        return self._reranked(shopper, *self._recall.top(shopper.embedding, num_candidates, seen))

    def _reranked(self, shopper: _Shopper, item_num: NDArray[np.int64], recall_score: NDArray[np.float64]) -> _Ranked:
        vectors = self.model.title_vectors
        profile = vectors.profile(shopper.item_num, shopper.rating)
        has_title = vectors.known(item_num)
        similarity = None if profile is None else vectors.similarity(item_num, profile)
        ranking = rank(recall_score, similarity, has_title, self.model.config.rerank_weight)
        if similarity is None:
            similarity = np.full(len(item_num), np.nan)
        predicted = self.model.factors.rating(recall_score + shopper.bias)
        order = ranking.position
        known_similarity = np.where(has_title, similarity, np.nan)[order]
        return _Ranked(item_num[order], order, ranking.score, predicted[order], known_similarity)

    def _describe(self, shopper: _Shopper, ranked: _Ranked, top_k: int) -> list[RecommendedItem]:
        """The first `top_k` with their titles and reasons."""
        first = [column[:top_k].tolist() for column in (ranked.item_num, ranked.score, ranked.predicted_rating)]
        # Plain numbers, None for a similarity that is NaN (the only number that differs from itself).
        similarities = [value if value == value else None for value in ranked.similarity[:top_k].tolist()]
        reasons = self.model.title_vectors.heaviest(first[0], shopper.item_num, shopper.rating)
        return [
            RecommendedItem(
                item_id=self.model.items.id(item_num),
                title=self._title(item_num),
                score=score,
                predicted_rating=predicted_rating,
                similarity=similarity,
                because=None if reason is None else self.model.items.id(reason),
            )
            for item_num, score, predicted_rating, similarity, reason in zip(*first, similarities, reasons, strict=True)
        ]

    def _popular(self, top_k: int) -> list[RecommendedItem]:
        factors = self.model.factors
        item_num, share = self._popularity.top(top_k)
        # Of a user without an embedding only a model with biases can tell anything.
        has_bias = self.model.config.has_bias
        predicted = factors.rating(factors.item_bias[item_num].astype(float)).tolist()
        return [
            RecommendedItem(
                self.model.items.id(number), self._title(number), score, rating if has_bias else None, None, None
            )
            for number, score, rating in zip(item_num.tolist(), share.tolist(), predicted, strict=True)
        ]

    def _title(self, item_num: int) -> str | None:
        return self.model.titles.text(item_num) or None


def _with_events(
    events: dict[int, float], item_num: NDArray[np.int32], rating: Floats
) -> tuple[NDArray[np.int32], Floats]:
    """A history with the newer events behind it."""
    return (
        np.append(item_num, np.fromiter(events.keys(), np.int32)),
        np.append(rating, np.fromiter(events.values(), np.float32)),
    )
