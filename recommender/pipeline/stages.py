"""The two stages: a query -> candidates of all sources -> the order of a response."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Candidates, Source
from recommender.candidates.fixed_order import FixedOrder, Proposer
from recommender.components.query import Query
from recommender.pipeline.applied_rules import AppliedRules
from recommender.pipeline.rankers import LearnedRanker, PaperRanker, Ranked, Ranker
from recommender.pipeline.recommendations import NOTHING
from recommender.pipeline.size import Pause, Size
from recommender.rules.base import Lane
from recommender.rules.selection import Selected, Selection

Items = NDArray[np.int64]
Found = dict[str, Candidates]
Rank = Callable[[Query, Found, int], Ranked]


class Stages:
    """The candidate sources of a model and the ranking of their candidates.

    Attributes:
        sources: those that propose candidates, by name.
        fallbacks: those for users that no source knows, by name.
        ranker: orders the candidates.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        config = model.config
        self.sources = _proposing(model)
        self.fallbacks = _present(model, config.fallback_names)
        self.ranker: Ranker = PaperRanker(model)
        if model.ranking is not None:
            scored = _present(model, [*config.source_names, *config.scored_names])
            self.ranker = LearnedRanker(model, model.ranking, scored)

    def listed(self, query: Query, rules: AppliedRules, size: Size, order: FixedOrder | None = None) -> Ranked:
        """Return the order of a response, at least `top_k` long if the catalogue has as many items that rules allow.

        Args:
            query: the request.
            rules: its rules.
            size: how much it asks for.
            order: proposes the items instead of the sources, in its order.
        """
        query, num_candidates, top_k, pause = rules.restrict(query), size.num_candidates, size.top_k, size.pause
        sources: Mapping[str, Proposer] = self.sources if order is None else {order.name: order}
        rank: Rank = self.ranker.rank if order is None else _in_order
        proposed = self._proposed(query, sources, num_candidates, pause)
        if not proposed:
            wanted = top_k if rules.are_none else max(top_k, num_candidates)
            sources, proposed = self._of_fallback(query, wanted)
            rank = _in_order
        if not proposed:
            return nothing()
        is_short = order is not None and sum(len(one.item_num) for one in proposed.values()) < top_k
        if rules.are_none and not is_short:
            return _named(rank(query, proposed, num_candidates), order)
        for lane in rules.selection.lanes:
            pause()
            self._add_lane(query, lane, sources, proposed, num_candidates)
        return _named(self._selected(query, rules.selection, sources, rank, proposed, size), order)

    def ranked(self, query: Query, proposed: Mapping[str, Candidates], num_candidates: int, top_k: int) -> Ranked:
        """Return the final order of the candidates, or else the first fallback's order."""
        if proposed:
            return self.ranker.rank(query, proposed, num_candidates)
        _, found = self._of_fallback(query, top_k)
        return _in_order(query, found, top_k) if found else nothing()

    def _proposed(self, query: Query, sources: Mapping[str, Proposer], count: int, pause: Pause) -> Found:
        found = {}
        for name, source in sources.items():
            if (candidates := source.top(query, count)) is not None:
                found[name] = candidates
            pause()
        return found

    def _of_fallback(self, query: Query, count: int) -> tuple[Mapping[str, Proposer], Found]:
        """Return the first fallback with candidates, and these; two empty dicts if there is none."""
        for name, source in self.fallbacks.items():
            if (candidates := source.top(query, count)) is not None:
                return {name: source}, {name: candidates}
        return {}, {}

    def _add_lane(
        self, query: Query, lane: Lane, sources: Mapping[str, Proposer], proposed: Found, num_candidates: int
    ) -> None:
        """Add the candidates of a lane to those of its sources."""
        of_lane = query.restricted(lane.mask)
        if lane.proposer is not None:
            sources = {lane.proposer.name: lane.proposer}
        _add(proposed, self._proposed(of_lane, sources, num_candidates, _go_on))

    def _selected(
        self,
        query: Query,
        selection: Selection,
        sources: Mapping[str, Proposer],
        rank: Rank,
        proposed: Found,
        wanted: Size,
    ) -> Ranked:
        """Return the chosen candidates.

        If caps or filters leave too few, the sources are asked again for items that can still be added. If that does
        not suffice, the fallback's order of the whole catalogue fills the rest.
        """
        num_candidates, top_k, pause = wanted.num_candidates, wanted.top_k, wanted.pause
        size = num_candidates
        for more in (self._more, self._rest, None):
            pause()
            if selection.lanes or more is not self._more:  # all that were added belong to the pool
                size = sum(len(one.item_num) for one in proposed.values())
            ranked = rank(query, proposed, size)
            chosen = selection.select(ranked.item_num, ranked.score, top_k, _lane_scores(selection, ranked, proposed))
            if len(chosen.place) >= top_k or more is None:
                break
            pause()
            missing = more(query, selection, sources, ranked, chosen, num_candidates, top_k)
            if not _add(proposed, missing) and more is self._rest:
                break
        return _with_reasons(ranked.at(chosen.place, chosen.rule), selection)

    def _more(
        self,
        query: Query,
        selection: Selection,
        sources: Mapping[str, Proposer],
        ranked: Ranked,
        chosen: Selected,
        num_candidates: int,
        top_k: int,
    ) -> Found:
        """Return candidates of the sources among the items that can still be added."""
        wanted = self._still_open(query, selection, ranked, chosen)
        return self._proposed(wanted, sources, max(num_candidates, top_k), _go_on)

    def _rest(
        self,
        query: Query,
        selection: Selection,
        sources: Mapping[str, Proposer],
        ranked: Ranked,
        chosen: Selected,
        num_candidates: int,
        top_k: int,
    ) -> Found:
        """Return the first items of the fallback's order that can still be added together; O(items log items)."""
        wanted = self._still_open(query, selection, ranked, chosen)
        _, found = self._of_fallback(wanted, len(self._model.items))
        missing = top_k - len(chosen.place)
        only_caps = replace(selection, lanes=(), weight=0.0)
        for name, order in found.items():
            rest = only_caps.select(order.item_num, order.score, missing, {}, ranked.item_num[chosen.place])
            return {name: Candidates(order.item_num[rest.place], order.score[rest.place], order.origin)}
        return {}

    def _still_open(self, query: Query, selection: Selection, ranked: Ranked, chosen: Selected) -> Query:
        """Return the query for the items that are no candidates yet and that no cap forbids."""
        mask = np.ones(len(self._model.items), bool)
        mask[ranked.item_num] = False
        for cap in selection.caps:
            mask &= ~cap.closed(ranked.item_num[chosen.place])
        return query.restricted(mask)


def _named(ranked: Ranked, order: FixedOrder | None) -> Ranked:
    """Return the ranked items with the order that proposed them, for their reasons."""
    return ranked if order is None else replace(ranked, proposers={**ranked.proposers, order.name: order})


def nothing() -> Ranked:
    """Return an empty order."""
    return Ranked(np.empty(0, np.int64), np.empty(0), NOTHING, {}, _shows_nothing, {})


def _in_order(query: Query, proposed: Mapping[str, Candidates], num_candidates: int) -> Ranked:
    """Return the candidates of the first source in its order, then those of the others, which fill the response."""
    first, *others = proposed.values()
    items, scores = [first.item_num], [first.score]
    for one in others:
        is_new = ~np.isin(one.item_num, np.concatenate(items))
        lowest = scores[-1][-1] if len(scores[-1]) else np.inf
        items.append(one.item_num[is_new])
        scores.append(np.minimum(one.score[is_new], lowest))
    owner = np.repeat(np.arange(len(items)), [len(own) for own in items])
    score = np.concatenate(scores)
    parts = {name: np.where(owner == place, score, 0.0) for place, name in enumerate(proposed)}
    return Ranked(np.concatenate(items), score, first.origin, parts, _shows_nothing, proposed)


def _add(proposed: Found, more: Found) -> int:
    """Add candidates to those of the same sources; return how many items were added."""
    before = sum(len(one.item_num) for one in proposed.values())
    for name, candidates in more.items():
        proposed[name] = proposed[name].merged(candidates) if name in proposed else candidates
    return sum(len(one.item_num) for one in proposed.values()) - before


def _lane_scores(selection: Selection, ranked: Ranked, proposed: Found) -> dict[str, NDArray[np.float64]]:
    """Return the scores of lanes with an own proposer, by rule; -inf for items that it does not propose."""
    found = {}
    for lane in selection.lanes:
        if lane.proposer is None:
            continue
        score = np.full(len(ranked.item_num), -np.inf)
        own = proposed.get(lane.proposer.name)
        if own is not None and len(own.item_num):
            order = np.argsort(own.item_num)
            place = np.minimum(np.searchsorted(own.item_num, ranked.item_num, sorter=order), len(order) - 1)
            is_own = own.item_num[order[place]] == ranked.item_num
            score[is_own] = own.score[order[place]][is_own]
        found[lane.rule] = score
    return found


def _with_reasons(ranked: Ranked, selection: Selection) -> Ranked:
    """Return the order with the reasons of its places: an item with a place by a lane's proposer has it from there."""
    parts = dict(ranked.parts)
    for lane in selection.lanes:
        is_of_lane = np.array([rule == lane.rule for rule in ranked.rule], bool)
        if lane.proposer is None or not is_of_lane.any():
            continue
        parts = {name: np.where(is_of_lane, 0.0, values) for name, values in parts.items()}
        own = parts.get(lane.proposer.name, np.zeros(len(ranked.item_num)))
        parts[lane.proposer.name] = np.where(is_of_lane, 1.0, own)
    orders = {lane.proposer.name: lane.proposer for lane in selection.lanes if isinstance(lane.proposer, FixedOrder)}
    return replace(ranked, parts=parts, proposers={**ranked.proposers, **orders})


def _present(model: Model, names: Sequence[str]) -> dict[str, Source]:
    """Return the sources of these names that the model has: training leaves out those that do not suit the data."""
    return {name: model.sources[name] for name in names if name in model.sources}


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


def _go_on() -> None:
    """Do not pause."""


def _shows_nothing(_: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    return {}
