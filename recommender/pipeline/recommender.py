"""From a user to recommendations: query -> candidates -> ranking -> reasons.

No Flask and no torch here: the same object serves HTTP requests and is measured by `evaluation`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts import model_folder
from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates, Source
from recommender.candidates.fusion import fuse
from recommender.common.messages import shown
from recommender.components.query import NO_ITEMS, NO_RATINGS, Query
from recommender.errors import RequestError
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import NOTHING, Event, Recommendations, RecommendedItem
from recommender.ranking.base import Feature
from recommender.ranking.blend import Ranking, rank

Items = NDArray[np.int64]


class Recommender:
    """Recommends items of a loaded model to any user; stateless between calls."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._sources = [model.sources[name] for name in model.config.source_names]
        self._fallbacks = [model.sources[name] for name in model.config.fallback_names]
        self._features = list(model.features.values())
        self._weights = {name: of.weight(model.config.of(of.Options)) for name, of in model.features.items()}

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Load a model folder.

        Raises:
            ArtifactError: see `model_folder.load`.
        """
        return cls(model_folder.load(Path(folder)))

    def save(self, folder: Path | str) -> None:
        """Write the model folder, for `load` and for the server.

        Raises:
            ArtifactError: a file cannot be written.
        """
        model_folder.save(self.model, Path(folder))

    def recommend(
        self,
        user_id: str,
        history: Sequence[Event] = (),
        *,
        top_k: int = LIMITS.top_k,
        num_candidates: int | None = None,
        exclude_seen: bool = LIMITS.exclude_seen,
    ) -> Recommendations:
        """Recommend at most `top_k` items; fewer only if the catalogue has no more.

        Args:
            user_id: any string; an unknown one is not an error.
            history: events that the model has not seen, oldest first. They are added to a known user's
                own; the newest rating of an item wins; unknown items are left out.
            top_k: items in the response.
            num_candidates: candidates that are ranked; by default 100, or `top_k` if that is more.
            exclude_seen: leave out the items of the user's history.

        Raises:
            RequestError: a rating of `history` is out of the model's range, an ID is no text or whole number, or a
                number is not in its range.
        """
        top_k = _whole("top_k", top_k)
        num_candidates = _whole(
            "num_candidates", max(LIMITS.num_candidates, top_k) if num_candidates is None else num_candidates
        )
        user_id = _text("user_id", user_id)
        query = self.query(user_id, history, exclude_seen=exclude_seen)
        found = [one for source in self._sources if (one := source.top(query, num_candidates)) is not None]
        if not found:
            return self._fallback(user_id, query, top_k)
        candidates = fuse(found, num_candidates)
        ranking = rank(query, candidates, self._features, self._weights)
        return Recommendations(user_id, candidates.origin, self._described(query, candidates, ranking, top_k))

    def query(self, user_id: str, history: Sequence[Event] = (), *, exclude_seen: bool = True) -> Query:
        """Return a request in the form that sources and features take; see `recommend`."""
        user_num = self.model.users.number(user_id)
        events = self._known_events(history)
        item_num, rating = (NO_ITEMS, NO_RATINGS) if user_num is None else self.model.histories.of(user_num)
        if events:
            kept = ~np.isin(item_num, list(events))
            item_num = np.append(item_num[kept], np.fromiter(events.keys(), np.int32))
            rating = np.append(rating[kept], np.fromiter(events.values(), np.float32))
        return Query(user_num, item_num, rating, bool(events), item_num if exclude_seen else NO_ITEMS)

    def orders(self, user_id: str, depth: int) -> dict[str, Items]:
        """Return item numbers, best first: the order of each source by its name, of the pool, and the final one.

        If no candidate source knows the user, the fallback's order replaces the pool, the final order and empty orders.

        Returns:
            `depth` items at most, by the source's name, `candidates` and `final`.
        """
        query = self.query(user_id)
        found = {name: source.top(query, depth) for name, source in self.model.sources.items()}
        orders = {name: one.item_num if one is not None else NO_ITEMS.astype(np.int64) for name, one in found.items()}
        names = self.model.config.source_names
        pooled = [one for name in names if (one := found[name]) is not None]
        if pooled:
            candidates = fuse(pooled, depth)
            final = candidates.item_num[rank(query, candidates, self._features, self._weights).position]
            return {**orders, "candidates": candidates.item_num, "final": final}
        names = self.model.config.fallback_names
        last = next((orders[name] for name in names if found[name] is not None), NO_ITEMS.astype(np.int64))
        unknown = dict.fromkeys([name for name, one in found.items() if one is None], last)
        return {**orders, **unknown, "candidates": last, "final": last}

    def recommend_batch(
        self, user_num: NDArray[np.integer], num_candidates: int, top_k: int
    ) -> Iterator[tuple[Items, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield what `recommend` returns for known users, many at once.

        Yields:
            For each user in order (item_num, score, predicted_rating), at most `top_k` long; a rating is NaN if no
            source predicts one.
        """
        queries = [self._known(int(number)) for number in user_num]
        tops = zip(*(source.top_of_each(queries, num_candidates) for source in self._sources), strict=True)
        for query, of_sources in zip(queries, tops, strict=True):
            found = [one for one in of_sources if one is not None]
            if found:
                candidates = fuse(found, num_candidates)
                ranking = rank(query, candidates, self._features, self._weights)
                items, score = candidates.item_num[ranking.position[:top_k]], ranking.score[:top_k]
            else:
                fallback = self._first_fallback(query, top_k)
                items, score = fallback.item_num, fallback.score
            yield items, score, self._predicted(query, items)

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the predicted rating of each pair, (n,) float64, -1 for unknown; None if no source predicts one."""
        for source in self.model.sources.values():
            predicted = source.predict_pairs(user_num, item_num)
            if predicted is not None:
                return predicted
        return None

    def _known(self, user_num: int) -> Query:
        item_num, rating = self.model.histories.of(user_num)
        return Query(user_num, item_num, rating, False, item_num)

    def _known_events(self, history: Sequence[Event]) -> dict[int, float]:
        config = self.model.config
        events: dict[int, float] = {}
        for position, event in enumerate(history):
            if not config.rating_min <= event.rating <= config.rating_max:
                raise RequestError(
                    f"history[{position}].rating",
                    f"expected a number from {config.rating_min:g} to {config.rating_max:g}, got {event.rating:g}",
                )
            item_num = self.model.items.number(_text(f"history[{position}].item_id", event.item_id))
            if item_num is not None:
                events.pop(item_num, None)  # the newest rating takes the newest place
                events[item_num] = event.rating
        return events

    def _first_fallback(self, query: Query, top_k: int) -> Candidates:
        found = (source.top(query, top_k) for source in self._fallbacks)
        nothing = Candidates(np.empty(0, np.int64), np.empty(0), NOTHING)
        return next((one for one in found if one is not None), nothing)

    def _fallback(self, user_id: str, query: Query, top_k: int) -> Recommendations:
        found = self._first_fallback(query, top_k)
        unranked = Ranking(np.arange(len(found.item_num)), found.score, {})
        return Recommendations(user_id, found.origin, self._described(query, found, unranked, top_k, explain=False))

    def _predicted(self, query: Query, item_num: Items) -> NDArray[np.float64]:
        for source in self.model.sources.values():
            predicted = source.predicted_rating(query, item_num)
            if predicted is not None:
                return predicted
        return np.full(len(item_num), np.nan)

    def _described(
        self, query: Query, candidates: Candidates, ranking: Ranking, top_k: int, explain: bool = True
    ) -> list[RecommendedItem]:
        """Return the first `top_k` with their titles, numbers and reasons."""
        items = candidates.item_num[ranking.position[:top_k]]
        numbers = items.tolist()
        shown = {
            feature.shown_as: _or_none(ranking.features.get(feature.name), len(numbers))
            for feature in self._features
            if feature.shown_as is not None
        }
        reasons = self._reasons(query, numbers) if explain else [None] * len(numbers)
        return [
            RecommendedItem(
                item_id=self.model.items.id(number),
                title=self.model.titles.text(number) or None,
                score=score,
                predicted_rating=rating,
                features={name: values[place] for name, values in shown.items()},
                because=None if reason is None else self.model.items.id(reason),
            )
            for place, (number, score, rating, reason) in enumerate(
                zip(
                    numbers,
                    ranking.score[:top_k].tolist(),
                    _or_none(self._predicted(query, items), len(numbers)),
                    reasons,
                    strict=True,
                )
            )
        ]

    def _reasons(self, query: Query, numbers: list[int]) -> list[int | None]:
        """Return for each item the first reason that a feature, or else a source, has."""
        parts: list[Source | Feature] = [*self._features, *self._sources]
        reasons: list[int | None] = [None] * len(numbers)
        for part in parts:
            if None in reasons:
                found = part.reasons(query, numbers)
                reasons = [own if own is not None else other for own, other in zip(reasons, found, strict=True)]
        return reasons


def _whole(field: str, value: object) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise RequestError(field, f"expected a whole number from 1, got {shown(value)}")
    return int(value)


def _text(field: str, value: object) -> str:
    """Return an ID as text; a whole number becomes its digits, as in training."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RequestError(field, f"expected a text, got {shown(value)}")
    return value


def _or_none(values: NDArray[np.float64] | None, count: int) -> list[float | None]:
    """Return the first values as plain numbers; None for NaN, the only number that differs from itself."""
    if values is None:
        return [None] * count
    return [value if value == value else None for value in values[:count].tolist()]
