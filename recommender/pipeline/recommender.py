"""From a user to recommendations: query -> candidates -> ranking -> reasons.

No Flask and no torch here: the same object serves HTTP requests and is measured by `evaluation`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts import model_folder
from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates
from recommender.candidates.fixed_order import FixedOrder
from recommender.components.query import NO_EVENTS, NO_ITEMS, Query
from recommender.hyperparameters import COMPONENTS
from recommender.pipeline.applied_rules import AppliedRules, checked_values
from recommender.pipeline.explain import Part, explain
from recommender.pipeline.for_everyone import questions, trending
from recommender.pipeline.histories import NewEvent, RequestLimits, new_events, text_of, texts_of, with_new_events
from recommender.pipeline.interests import Interests
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.rankers import Ranked
from recommender.pipeline.recommendations import Because, Event, Recommendations, RecommendedItem
from recommender.pipeline.size import Pause, Size
from recommender.pipeline.stages import Stages
from recommender.rules.deny_list import FILE as DENY_FILE
from recommender.rules.deny_list import DenyList
from recommender.rules.variants import Variants

Items = NDArray[np.int64]
AT_ONCE = 50  # items that are described between two pauses: some ms


class Recommender:
    """Recommends items of a loaded model to any user; stateless between calls."""

    def __init__(self, model: Model) -> None:
        self.model = model
        config = model.config
        self._stages = Stages(model)
        self._variants = Variants.of(config.parent_attribute, model) if config.parent_attribute else None
        self.deny_list: DenyList | None = None
        model.attributes.prepare()
        self._limits = RequestLimits(config.rating_min, config.rating_max, model.histories.newest)
        fields = {part.shown_as: "" for part in COMPONENTS.values()}  # a response has the fields of all components
        fields |= {part.shown_as: name for name, part in model.components.items()}
        self._shown = {field: name for field, name in fields.items() if field is not None}

    @classmethod
    def load(cls, folder: Path | str, sha256: str | None = None) -> Self:
        """Load a model folder, and the deny list in it; see `model_folder.load` and `deny`.

        Raises:
            ArtifactError: see `model_folder.load`.
            ConfigError: the folder's deny.txt can't be read.
        """
        found = cls(model_folder.load(Path(folder), sha256))
        found.deny(Path(folder) / DENY_FILE, must_exist=False)
        return found

    def deny(self, path: Path | str, *, must_exist: bool = True) -> None:
        """Leave the items of a file out of all responses: one ID a line. A change of the file counts a second later.

        Args:
            path: the file; it takes the place of the one before.
            must_exist: whether a missing file is an error now.

        Raises:
            ConfigError: the file can't be read.
        """
        self.deny_list = DenyList(Path(path), self.model.items, must_exist=must_exist)

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
        interests: Sequence[str] = (),
        top_k: int = LIMITS.top_k,
        num_candidates: int | None = None,
        exclude_seen: bool = LIMITS.exclude_seen,
        pause: Pause | None = None,
        **rules: object,
    ) -> Recommendations:
        """Recommend at most `top_k` items to a user; fewer only if the catalogue has no more that the rules allow.

        Args:
            user_id: any string; an unknown one is not an error.
            history: events that the model has not seen, oldest first. They are added to a known user's
                own; the newest event of an item wins; unknown items are left out.
            interests: a few words each, such as "black leather boots". Items with matching titles and attributes count
                as events of the user's session, and can be recommended.
            top_k: items in the response.
            num_candidates: candidates of each source; by default 100, or `top_k` if that is more.
            exclude_seen: leave out the items of the user's history.
            pause: called between the parts of a large request, some ms each, so that a server can do something else.
            **rules: rules by name, such as filter={"price": {"max": 50}}; see `rules`.

        Raises:
            RequestError: a rating of `history` is out of the model's range, a timestamp is no time, an ID is no text
                or whole number, or a number is not in its range. Also if a rule has a wrong value, or names what the
                model does not have.
        """
        size = Size.of(top_k, num_candidates, len(history), pause)
        user_id = text_of("user_id", user_id)
        wanted = self._wanted(interests)
        query = self.query(user_id, history, wanted=wanted, exclude_seen=exclude_seen)
        return Recommendations(user_id, *self._response(query, size, self.rules(rules, wanted)))

    def rank(
        self,
        user_id: str,
        item_ids: Sequence[str],
        history: Sequence[Event] = (),
        *,
        interests: Sequence[str] = (),
        top_k: int | None = None,
        num_candidates: int | None = None,
        exclude_seen: bool = False,
        pause: Pause | None = None,
        **rules: object,
    ) -> Recommendations:
        """Order given items for a user, the best first.

        Items that the model does not know follow in the given order, with score 0; so do those that no source proposes.
        Several variants of one parent can be in the list.

        Args:
            user_id: see `recommend`.
            item_ids: the items; a repeated one counts once.
            history: see `recommend`.
            interests: see `recommend`.
            top_k: items in the response; None: all.
            num_candidates: has no effect: all items are candidates.
            exclude_seen: leave out the items of the user's history.
            pause: see `recommend`.
            **rules: see `recommend`.

        Raises:
            RequestError: see `recommend`.
        """
        given = list(dict.fromkeys(texts_of("rank", item_ids)))
        size = Size.of(len(given) if top_k is None else top_k, len(given), len(history), pause)
        user_id = text_of("user_id", user_id)
        wanted = self._wanted(interests)
        query = self.query(user_id, history, wanted=wanted, exclude_seen=exclude_seen)
        item_num = self.model.items.numbers(given)
        mask = np.zeros(len(self.model.items), bool)
        mask[item_num[item_num >= 0]] = True
        applied = AppliedRules.of(checked_values(rules), self.model, None, self.deny_list)
        origin, items = self._response(query.restricted(mask), size, applied)
        unknown = [item_id for item_id, number in zip(given, item_num.tolist(), strict=True) if number < 0]
        unknown = [item_id for item_id in unknown if applied.allows_unknown(item_id)]
        items += [RecommendedItem(item_id, None, 0.0, None, dict.fromkeys(self._shown)) for item_id in unknown]
        return Recommendations(user_id, origin, items[: size.top_k])

    def related(
        self,
        item_id: str,
        *,
        top_k: int = LIMITS.top_k,
        num_candidates: int | None = None,
        pause: Pause | None = None,
        **rules: object,
    ) -> Recommendations:
        """Recommend items that go with an item; for an unknown item, popular ones.

        Args:
            item_id: the item; it is left out.
            top_k: items in the response.
            num_candidates: see `recommend`.
            pause: see `recommend`.
            **rules: see `recommend`.

        Raises:
            RequestError: see `recommend`.
        """
        size = Size.of(top_k, num_candidates, 1, pause)
        item_id = text_of("item_id", item_id)
        return Recommendations(None, *self._response(self._of_items([item_id]), size, self.rules(rules)), item_id)

    def for_basket(
        self,
        item_ids: Sequence[str],
        *,
        top_k: int = LIMITS.top_k,
        num_candidates: int | None = None,
        pause: Pause | None = None,
        **rules: object,
    ) -> Recommendations:
        """Recommend items that go with those of a basket, which are left out.

        Args:
            item_ids: the items, oldest first; unknown ones are left out.
            top_k: items in the response.
            num_candidates: see `recommend`.
            pause: see `recommend`.
            **rules: see `recommend`.

        Raises:
            RequestError: see `recommend`.
        """
        given = texts_of("items", item_ids)
        size = Size.of(top_k, num_candidates, len(given), pause)
        return Recommendations(None, *self._response(self._of_items(given), size, self.rules(rules)))

    def trending(
        self,
        *,
        top_k: int = LIMITS.top_k,
        num_candidates: int | None = None,
        pause: Pause | None = None,
        **rules: object,
    ) -> Recommendations:
        """Return the popular items of the last weeks, the same for all users.

        Args:
            top_k: items in the response.
            num_candidates: see `recommend`.
            pause: see `recommend`.
            **rules: see `recommend`; with a filter, the items that are popular among those that meet it.

        Raises:
            RequestError: see `recommend`.
        """
        size = Size.of(top_k, num_candidates, 0, pause)
        return Recommendations(None, *self._response(Query(), size, self.rules(rules), self._trending))

    def onboarding(self, top_k: int = 10, *, pause: Pause | None = None, **rules: object) -> Recommendations:
        """Return items to ask a new user about. The answers go on as the history of an ordinary request.

        Args:
            top_k: items in the response, at most 100.
            pause: see `recommend`.
            **rules: see `recommend`.

        Raises:
            RequestError: see `recommend`.
        """
        size = Size.of(top_k, None, 0, pause)
        return Recommendations(None, *self._response(Query(), size, self.rules(rules), self._questions))

    @cached_property
    def _trending(self) -> FixedOrder:
        return trending(self.model)

    @cached_property
    def _questions(self) -> FixedOrder:
        return questions(self.model)

    @cached_property
    def _interests(self) -> Interests:
        return Interests(self.model)

    def _wanted(self, interests: Sequence[str]) -> FixedOrder | None:
        texts = texts_of("interests", interests)
        return self._interests.order(texts) if texts else None

    def _response(
        self,
        query: Query,
        size: Size,
        rules: AppliedRules,
        order: FixedOrder | None = None,
    ) -> tuple[str, list[RecommendedItem]]:
        """Return how the candidates were found, and the items.

        Args:
            query: the request.
            size: how much it asks for.
            rules: its rules.
            order: proposes the items instead of the sources.
        """
        size.pause()
        ranked = self._stages.listed(query, rules, size, order)
        size.pause()
        return ranked.origin, self._described(query, ranked, size.top_k, size.pause)

    def _of_items(self, item_ids: Sequence[str]) -> Query:
        """Return the query of a session with events of these items, of a user without others."""
        return self._with_events(None, [Event(item_id) for item_id in item_ids])

    def rules(self, values: Mapping[str, object], wanted: FixedOrder | None = None) -> AppliedRules:
        """Return checked rules; one request uses them, or many.

        Args:
            values: by name.
            wanted: the items that match the user's interests.

        Raises:
            RequestError: see `recommend`.
        """
        return AppliedRules.of(checked_values(values), self.model, self._variants, self.deny_list, wanted)

    def query(
        self,
        user_id: str,
        history: Sequence[Event] = (),
        *,
        wanted: FixedOrder | None = None,
        exclude_seen: bool = True,
        now: int | None = None,
        as_of_history: bool = False,
    ) -> Query:
        """Return a request in the form that sources and features take; see `recommend` and `Query.of_known`.

        The events of a request belong to its session.
        """
        user_num = self.model.users.number(user_id)
        if user_num is not None and not history and wanted is None:
            query = Query.of_known(self.model.histories, user_num, now=now, as_of_history=as_of_history)
        else:
            query = self._with_events(user_num, history, wanted)
        return query if exclude_seen else replace(query, exclude=NO_ITEMS)

    def _with_events(self, user_num: int | None, history: Sequence[Event], wanted: FixedOrder | None = None) -> Query:
        """Return the query of a user with new events. Items that match interests count as events, not as seen."""
        histories = self.model.histories
        events = new_events(history, self.model.items, self._limits)
        known, has_clock = NO_EVENTS if user_num is None else histories.of(user_num), histories.newest is not None
        if user_num is not None and not events and wanted is None:
            return Query.of_known(histories, user_num)
        merged = with_new_events(known, events, has_clock)
        seen = merged.item_num
        if wanted is not None:
            own = {event.item_num for event in events}
            numbers = [number for number in wanted.first(LIMITS.interest_events) if number not in own]
            events = [*(NewEvent(number, np.nan, None) for number in numbers[::-1]), *events]
            merged = with_new_events(known, events, has_clock)
        in_session = has_clock and bool(events)
        return Query(user_num, merged, has_clock, bool(events), seen, in_session=in_session)

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
        proposed = {name: one for name in self._stages.sources if (one := found[name]) is not None}
        if proposed:
            return {**orders, "candidates": self._stages.ranker.pool(query, proposed, depth), "final": final}
        unknown = dict.fromkeys([name for name, one in found.items() if one is None], final)
        return {**orders, **unknown, "candidates": final, "final": final}

    def _final(self, query: Query, found: Mapping[str, Candidates | None], depth: int) -> Items:
        """Return the final order of the candidates, or else the first fallback's order."""
        proposed = {name: one for name in self._stages.sources if (one := found[name]) is not None}
        if proposed:
            return self._stages.ranker.rank(query, proposed, depth).item_num[:depth]
        last = next((one for name in self._stages.fallbacks if (one := found[name]) is not None), None)
        return NO_ITEMS.astype(np.int64) if last is None else last.item_num

    def recommend_batch(
        self,
        user_num: NDArray[np.integer],
        num_candidates: int,
        top_k: int,
        rules: AppliedRules | None = None,
    ) -> Iterator[tuple[Items, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield the recommendations for many known users, as from `recommend`.

        Args:
            user_num: (n,), the users.
            num_candidates: candidates of each source.
            top_k: items of each user.
            rules: see `rules`; None: only those of the model.

        Yields:
            For each user in order (item_num, score, predicted_rating), at most `top_k` long; a rating is NaN if no
            source predicts one.
        """
        queries = [Query.of_known(self.model.histories, int(number)) for number in user_num]
        sources = self._stages.sources
        rules = self.rules({}) if rules is None else rules
        if not rules.are_none:
            for query in queries:
                ranked = self._stages.listed(query, rules, Size.of(top_k, num_candidates, 0, None))
                items = ranked.item_num[:top_k]
                yield items, ranked.score[:top_k], self._predicted(query, items)
            return
        of_each = [source.top_of_each(queries, num_candidates) for source in sources.values()]
        tops: Iterable[Sequence[Candidates | None]] = zip(*of_each, strict=True) if of_each else [()] * len(queries)
        for query, of_sources in zip(queries, tops, strict=True):
            found = zip(sources, of_sources, strict=True)
            proposed = {name: one for name, one in found if one is not None}
            ranked = self._stages.ranked(query, proposed, num_candidates, top_k)
            items = ranked.item_num[:top_k]
            yield items, ranked.score[:top_k], self._predicted(query, items)

    def predict_pairs(self, user_num: NDArray[np.integer], item_num: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """Return the predicted rating of each pair, (n,) float64, -1 for unknown; None if no source predicts one."""
        for source in self.model.sources.values():
            predicted = source.predict_pairs(user_num, item_num)
            if predicted is not None:
                return predicted
        return None

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
        found = ranked.shown(np.arange(len(numbers)))
        shown = {field: _or_none(found.get(name), len(numbers)) for field, name in self._shown.items()}
        ratings = _or_none(self._predicted(query, items), len(numbers))
        parts: dict[str, Part] = {**self.model.sources, **self.model.features}
        parts |= ranked.proposers
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
                rule=ranked.rule[place] if ranked.rule else None,
            )
            for place, number in enumerate(numbers)
        ]


def _or_none(values: NDArray[np.float64] | None, count: int) -> list[float | None]:
    """Return the first values as plain numbers; None for NaN, the only number that differs from itself."""
    if values is None:
        return [None] * count
    return [value if value == value else None for value in values[:count].tolist()]
