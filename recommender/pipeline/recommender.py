"""From a user to recommendations: query -> candidates -> ranking -> reasons.

No Flask and no torch here: the same object serves HTTP requests and is measured by `evaluation`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts import model_folder
from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates, Source
from recommender.common.messages import shown
from recommender.components.query import NO_EVENTS, NO_ITEMS, Query
from recommender.errors import RequestError
from recommender.hyperparameters import COMPONENTS
from recommender.pipeline.explain import explain
from recommender.pipeline.histories import RequestLimits, new_events, text_of, with_new_events
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.rankers import LearnedRanker, PaperRanker, Ranked, Ranker
from recommender.pipeline.recommendations import NOTHING, Because, Event, Recommendations, RecommendedItem
from recommender.ranking.base import Feature

Items = NDArray[np.int64]
AT_ONCE = 50  # items that are described between two pauses: some ms
LARGE = 100  # candidates, events or items of a request; above it, each source takes some ms too


class Recommender:
    """Recommends items of a loaded model to any user; stateless between calls."""

    def __init__(self, model: Model) -> None:
        self.model = model
        config = model.config
        self._sources = _proposing(model)
        self._fallbacks = _present(model, config.fallback_names)
        self._limits = RequestLimits(config.rating_min, config.rating_max, model.histories.newest)
        fields = {part.shown_as: "" for part in COMPONENTS.values()}  # a response has the fields of all components
        fields |= {part.shown_as: name for name, part in model.components.items()}
        self._shown = {field: name for field, name in fields.items() if field is not None}
        self._ranker: Ranker = PaperRanker(model)
        if model.ranking is not None:
            scored = _present(model, [*config.source_names, *config.scored_names])
            self._ranker = LearnedRanker(model, model.ranking, scored)

    @classmethod
    def load(cls, folder: Path | str, sha256: str | None = None) -> Self:
        """Load a model folder; see `model_folder.load`.

        Raises:
            ArtifactError: see `model_folder.load`.
        """
        return cls(model_folder.load(Path(folder), sha256))

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
        pause: Callable[[], object] | None = None,
    ) -> Recommendations:
        """Recommend at most `top_k` items; fewer only if the catalogue has no more.

        Args:
            user_id: any string; an unknown one is not an error.
            history: events that the model has not seen, oldest first. They are added to a known user's
                own; the newest event of an item wins; unknown items are left out.
            top_k: items in the response.
            num_candidates: candidates of each source; by default 100, or `top_k` if that is more.
            exclude_seen: leave out the items of the user's history.
            pause: called between the parts of a large request, some ms each, so that a server can do something else.

        Raises:
            RequestError: a rating of `history` is out of the model's range, a timestamp is no time, an ID is no text
                or whole number, or a number is not in its range.
        """
        top_k = _whole("top_k", top_k)
        num_candidates = _whole(
            "num_candidates", max(LIMITS.num_candidates, top_k) if num_candidates is None else num_candidates
        )
        user_id = text_of("user_id", user_id)
        if pause is None or max(num_candidates, len(history), top_k) <= LARGE:  # a pause has its price
            pause = _go_on
        query = self.query(user_id, history, exclude_seen=exclude_seen)
        pause()
        ranked = self._ranked(query, self._proposed(query, num_candidates, pause), num_candidates, top_k)
        pause()
        return Recommendations(user_id, ranked.origin, self._described(query, ranked, top_k, pause))

    def query(
        self,
        user_id: str,
        history: Sequence[Event] = (),
        *,
        exclude_seen: bool = True,
        now: int | None = None,
        as_of_history: bool = False,
    ) -> Query:
        """Return a request in the form that sources and features take; see `recommend` and `Query.of_known`.

        The events of a request belong to its session.
        """
        user_num, histories = self.model.users.number(user_id), self.model.histories
        events = new_events(history, self.model.items, self._limits)
        if user_num is not None and not events:
            query = Query.of_known(histories, user_num, now=now, as_of_history=as_of_history)
        else:
            known, has_clock = NO_EVENTS if user_num is None else histories.of(user_num), histories.newest is not None
            merged = with_new_events(known, events, has_clock)
            in_session = has_clock and bool(events)
            query = Query(user_num, merged, has_clock, bool(events), merged.item_num, in_session=in_session)
        return query if exclude_seen else replace(query, exclude=NO_ITEMS)

    def orders_by_name(
        self, user_id: str, depth: int, others: Mapping[str, Self] | None = None, now: int | None = None
    ) -> dict[str, Items]:
        """Return item numbers, best first: the order of each source by its name, of the pool, and the final one.

        If no candidate source knows the user, the fallback's order replaces the pool, the final order and empty
        orders.

        Args:
            user_id: any string.
            depth: candidates of each source, and length of the final order.
            now: the time of the request, in seconds from the newest event of the data, so that nothing later counts.
                None: a new session begins, and nothing counts that is later than the user's newest event.
            others: recommenders with some of the same fitted sources; their final orders are returned, too.

        Returns:
            `depth` items at most, by the source's name, `candidates`, `final` and the names of `others`.
        """
        query = self.query(user_id, now=now, as_of_history=True)
        found = {name: source.top(query, depth) for name, source in self.model.sources.items()}
        orders = {name: one.item_num if one is not None else NO_ITEMS.astype(np.int64) for name, one in found.items()}
        orders |= {name: other._final(query, found, depth) for name, other in (others or {}).items()}
        final = self._final(query, found, depth)
        proposed = {name: one for name in self._sources if (one := found[name]) is not None}
        if proposed:
            return {**orders, "candidates": self._ranker.pool(query, proposed, depth), "final": final}
        unknown = dict.fromkeys([name for name, one in found.items() if one is None], final)
        return {**orders, **unknown, "candidates": final, "final": final}

    def _final(self, query: Query, found: Mapping[str, Candidates | None], depth: int) -> Items:
        """Return the final order of the candidates, or else the first fallback's order."""
        proposed = {name: one for name in self._sources if (one := found[name]) is not None}
        if proposed:
            return self._ranker.rank(query, proposed, depth).item_num[:depth]
        last = next((one for name in self._fallbacks if (one := found[name]) is not None), None)
        return NO_ITEMS.astype(np.int64) if last is None else last.item_num

    def recommend_batch(
        self, user_num: NDArray[np.integer], num_candidates: int, top_k: int
    ) -> Iterator[tuple[Items, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield the recommendations for many known users, as from `recommend`.

        Yields:
            For each user in order (item_num, score, predicted_rating), at most `top_k` long; a rating is NaN if no
            source predicts one.
        """
        queries = [Query.of_known(self.model.histories, int(number)) for number in user_num]
        of_each = [source.top_of_each(queries, num_candidates) for source in self._sources.values()]
        tops: Iterable[Sequence[Candidates | None]] = zip(*of_each, strict=True) if of_each else [()] * len(queries)
        for query, of_sources in zip(queries, tops, strict=True):
            found = zip(self._sources, of_sources, strict=True)
            proposed = {name: one for name, one in found if one is not None}
            ranked = self._ranked(query, proposed, num_candidates, top_k)
            items = ranked.item_num[:top_k]
            yield items, ranked.score[:top_k], self._predicted(query, items)

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the predicted rating of each pair, (n,) float64, -1 for unknown; None if no source predicts one."""
        for source in self.model.sources.values():
            predicted = source.predict_pairs(user_num, item_num)
            if predicted is not None:
                return predicted
        return None

    def _proposed(self, query: Query, count: int, pause: Callable[[], object]) -> dict[str, Candidates]:
        found = {}
        for name, source in self._sources.items():
            if (candidates := source.top(query, count)) is not None:
                found[name] = candidates
            pause()
        return found

    def _ranked(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int, top_k: int) -> Ranked:
        """Return the final order of the candidates, or else the first fallback's order."""
        if proposed:
            return self._ranker.rank(query, proposed, num_candidates)
        for name, source in self._fallbacks.items():
            found = source.top(query, top_k)
            if found is not None:
                return Ranked(found.item_num, found.score, found.origin, {name: found.score}, _nothing, {name: found})
        return Ranked(np.empty(0, np.int64), np.empty(0), NOTHING, {}, _nothing, {})

    def _predicted(self, query: Query, item_num: Items) -> NDArray[np.float64]:
        for source in self.model.sources.values():
            predicted = source.predicted_rating(query, item_num)
            if predicted is not None:
                return predicted
        return np.full(len(item_num), np.nan)

    def _described(
        self, query: Query, ranked: Ranked, top_k: int, pause: Callable[[], object]
    ) -> list[RecommendedItem]:
        """Return the first `top_k` with their titles, numbers and reasons."""
        items = ranked.item_num[:top_k]
        numbers = items.tolist()
        found = ranked.shown(len(numbers))
        shown = {field: _or_none(found.get(name), len(numbers)) for field, name in self._shown.items()}
        ratings = _or_none(self._predicted(query, items), len(numbers))
        parts: dict[str, Source | Feature] = {**self.model.sources, **self.model.features}
        reasons: list[list[Because]] = []
        for begin in range(0, len(numbers), AT_ONCE):
            pause()
            places = slice(begin, min(begin + AT_ONCE, len(numbers)))
            reasons += explain(query, ranked, places, parts, self.model.items, self.model.titles)
        proposers = {name: set(one.item_num.tolist()) for name, one in ranked.proposed.items()}
        return [
            RecommendedItem(
                item_id=self.model.items.id(number),
                title=self.model.titles.text(number) or None,
                score=float(ranked.score[place]),
                predicted_rating=ratings[place],
                features={name: values[place] for name, values in shown.items()},
                sources=[name for name, own in proposers.items() if number in own],
                because=reasons[place],
            )
            for place, number in enumerate(numbers)
        ]


def _present(model: Model, names: Sequence[str]) -> dict[str, Source]:
    """Return the sources of these names that the model has: training leaves out those that do not suit the data."""
    return {name: model.sources[name] for name in names if name in model.sources}


def _go_on() -> None:
    """Do not pause."""


def _nothing(_: int) -> dict[str, NDArray[np.float64]]:
    return {}


def _proposing(model: Model) -> dict[str, Source]:
    """Return the sources that provide the candidates for the ranking.

    A source without a weight of its own is left out: the others would order its candidates, and they propose the best
    by their scores. Two kinds stay: one that predicts ratings, so that its candidates are always in the pool, and a
    fallback, which has candidates for every user. If no source has a weight, all stay.
    """
    found = _present(model, model.config.source_names)
    if model.ranking is None:
        return found
    weighted = model.ranking.own_weights & found.keys()
    if not weighted:
        return found
    kept = {*weighted, *model.config.fallback_names}
    return {name: source for name, source in found.items() if name in kept or source.predicts_ratings}


def _whole(field: str, value: object) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise RequestError(field, f"expected a whole number from 1, got {shown(value)}")
    return int(value)


def _or_none(values: NDArray[np.float64] | None, count: int) -> list[float | None]:
    """Return the first values as plain numbers; None for NaN, the only number that differs from itself."""
    if values is None:
        return [None] * count
    return [value if value == value else None for value in values[:count].tolist()]
