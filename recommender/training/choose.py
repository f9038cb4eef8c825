"""The choices of the pipeline auto, on targets inside the training data: each source's options, then the ranking.

1. Choose each source's options, one axis after the other, by the NDCG at 100 of the source alone.
2. Fit the weights of the ranking to the targets among the candidates of all sources.
3. Compare the ranking with each source alone by NDCG at 100. For each half of the targets, the ranking's weights come
   from the other half. If a source alone is better beyond noise, use its order as the ranking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.candidates.base import Axis, Source
from recommender.common.output import say
from recommender.components.fit_context import FitContext
from recommender.data.options import SharedOptions
from recommender.errors import DataError
from recommender.evaluation.intervals import mean_estimate
from recommender.evaluation.metric_names import DEPTH
from recommender.evaluation.ranking import NOT_RANKED
from recommender.hyperparameters import TrainConfig
from recommender.ranking.base import Feature
from recommender.ranking.fit_weights import Example, fit_weights
from recommender.ranking.learned import LOG, TIMES, LearnedRanking, Pool, column_names, columns, shares
from recommender.training.judge import Judge, ndcg_of_ranks, ranks_of

BLOCK = 128  # queries that are computed at once
MIN_TARGETS = 30  # with fewer targets, bootstrap intervals are too narrow to compare orders
MIN_OF_SESSIONS = 200  # targets needed within sessions, and at the begin of sessions, to fit separate weights
BETTER = 1.001  # a setting replaces another one if its NDCG is higher by more than this factor


@dataclass(frozen=True)
class RankingChoice:
    """The chosen ranking and its metrics.

    Attributes:
        ranking: the weights.
        ndcg: NDCG at 100 on the targets: of `final` (the learned ranking, cross-fitted) and of each source that
            proposes candidates.
        used: `final`, or the name of the source that was better alone.
    """

    ranking: LearnedRanking
    ndcg: Mapping[str, float]
    used: str


def choose_options(name: str, source: type[Source], config: TrainConfig, judge: Judge) -> tuple[TrainConfig, Source]:
    """Return the configuration with the source's chosen options, and the source fitted to the judge's data.

    An axis is skipped if the user set one of its options.
    """
    options: SharedOptions = config.of(source.Options)
    axes = [axis for axis in source.choices(judge.context, options) if not _is_set(axis, options)]
    if not axes or not len(judge.targets):
        return config, source.fit(judge.context, options)
    small = judge.for_options
    best, tried = small.ndcg(source.fit(small.context, options)), 1
    again = axes[:1] if len(axes) > 1 else []  # try the first axis again, with the choices of the others
    for axis in [*axes, *again]:
        for values in axis:
            other = options.model_copy(update=dict(values))
            if other == options:
                continue
            score, tried = small.ndcg(source.fit(small.context, other)), tried + 1
            if score > best * BETTER:
                best, options = score, other
    chosen = {option: getattr(options, option) for axis in axes for values in axis for option in values}
    shown = " ".join(f"--{source.hyperparameter(option)} {value}" for option, value in chosen.items())
    say(f"{name}: best of {tried} settings on {len(small.targets):,} held-out events: {shown}")
    config = config.model_copy(update={source.hyperparameter(option): value for option, value in chosen.items()})
    small.context.memo.clear()
    fitted = source.fit(judge.context, options)
    judge.context.memo.clear()
    return config, fitted


def _is_set(axis: Axis, options: SharedOptions) -> bool:
    return any(option in options.model_fields_set for values in axis for option in values)


def choose_ranking(
    sources: Mapping[str, Source], features: Mapping[str, Feature], proposing: Sequence[str], judge: Judge
) -> RankingChoice:
    """Fit the weights of the ranking. Compare the ranking with each source alone.

    Args:
        sources: the sources, fitted to the judge's data.
        features: the features, fitted to the judge's data.
        proposing: the names of the sources that propose candidates.
        judge: the targets.
    """
    names = [*sources, *features]
    contents = [name for name in names if {**sources, **features}[name].is_content]
    all_columns = column_names(names, contents)
    prior = np.array([_prior(column, {**sources, **features}) for column in all_columns])
    with threadpool_limits(1, user_api="blas"):
        examples, alone = _examples(sources, features, proposing, contents, judge)
    by_session = min(map(len, _by_session(examples))) >= MIN_OF_SESSIONS
    fitted = _fit(examples, prior, by_session)
    gains = {name: ndcg_of_ranks(rank) for name, rank in alone.items()}
    gains = {"final": ndcg_of_ranks(_cross_fitted_ranks(examples, prior, by_session)), **gains}
    used = _best_order(gains)
    if used != "final":
        fitted = ColumnWeights(np.array([float(column == used) for column in all_columns]))
    ndcg = {name: float(gain.mean()) if len(gain) else 0.0 for name, gain in gains.items()}
    of_session = None if fitted.in_session is None else _positive(all_columns, fitted.in_session)
    return RankingChoice(LearnedRanking(_positive(all_columns, fitted.others), of_session), ndcg, used)


@dataclass(frozen=True)
class ColumnWeights:
    """The weights of the columns.

    Attributes:
        others: weights for requests that begin a session, or for all requests.
        in_session: weights for requests within a session; None: `others`.
    """

    others: NDArray[np.float64]
    in_session: NDArray[np.float64] | None = None

    def of(self, example: Example) -> NDArray[np.float64]:
        """Return the weights for an example."""
        return self.others if self.in_session is None or not example.in_session else self.in_session


def _fit(examples: Sequence[Example], prior: NDArray[np.float64], by_session: bool) -> ColumnWeights:
    """Fit the weights to all examples. With `by_session`, start from these to fit each of the two kinds of requests."""
    of_all = fit_weights(examples, prior)
    if not by_session:
        return ColumnWeights(of_all)
    return ColumnWeights(*(fit_weights(part, of_all) for part in _by_session(examples)))


def _by_session(examples: Sequence[Example]) -> list[list[Example]]:
    """Return the examples of requests that begin a session, then those of requests within a session."""
    return [[example for example in examples if example.in_session == value] for value in (False, True)]


def _positive(columns: Sequence[str], weights: NDArray[np.float64]) -> dict[str, float]:
    """Return the weights above 0, rounded, by column."""
    rounded = {column: round(float(weight), 6) for column, weight in zip(columns, weights, strict=True)}
    return {column: weight for column, weight in rounded.items() if weight > 0}


def _examples(
    sources: Mapping[str, Source],
    features: Mapping[str, Feature],
    proposing: Sequence[str],
    contents: Sequence[str],
    judge: Judge,
) -> tuple[list[Example], dict[str, NDArray[np.int64]]]:
    """Return the targets among their candidates, and their positions in the order of each source with candidates."""
    examples: list[Example] = []
    alone: dict[str, list[NDArray[np.int64]]] = {name: [np.empty(0, np.int64)] for name in proposing}
    silent = set(proposing) if len(judge.targets) else set()  # sources without candidates for any query so far
    for begin in range(0, len(judge.targets), BLOCK):
        queries = [query.without_memo() for query in judge.queries[begin : begin + BLOCK]]
        targets = judge.targets[begin : begin + BLOCK]
        found = {name: list(sources[name].top_of_each(queries, DEPTH)) for name in proposing}
        for name, candidates in found.items():
            alone[name].append(ranks_of(candidates, targets))
            if any(of_query is not None for of_query in candidates):
                silent.discard(name)
        for place, query in enumerate(queries):
            proposed = {name: of_query for name, of_all in found.items() if (of_query := of_all[place]) is not None}
            pool = Pool.of(proposed)
            values = columns(shares(query, pool, sources, features), contents).astype(np.float32)
            position = np.flatnonzero(pool.item_num == targets[place])
            examples.append(Example(values, int(position[0]) if len(position) else None, query.in_session))
    return examples, {name: np.concatenate(ranks) for name, ranks in alone.items() if name not in silent}


def _prior(column: str, parts: Mapping[str, Any]) -> float:
    if TIMES in column:
        return 0.0
    return float(getattr(parts[column.removeprefix(LOG)], "prior_weight", 0.0))


def _cross_fitted_ranks(examples: Sequence[Example], prior: NDArray[np.float64], by_session: bool) -> NDArray[np.int64]:
    """Return the position of each target. The weights for one half of the examples come from the other half."""
    ranks = np.full(len(examples), NOT_RANKED)
    for half in (0, 1):
        fitted = _fit(examples[1 - half :: 2], prior, by_session)
        for place in range(half, len(examples), 2):
            example = examples[place]
            if example.target is not None:
                score = fitted.of(example) @ example.columns
                own = score[example.target]
                ranks[place] = int((score > own).sum()) + int((score[: example.target] == own).sum())
    return ranks


def _best_order(gains: Mapping[str, NDArray[np.float64]]) -> str:
    """Return `final`, the learned ranking, unless a source alone is better beyond noise."""
    final = gains["final"]
    others = {name: gain for name, gain in gains.items() if name != "final"}
    if len(final) < MIN_TARGETS or not others:
        return "final"
    best = max(others, key=lambda name: float(others[name].mean()))
    difference = mean_estimate(others[best] - final)
    return best if difference.low > 0 else "final"


def suitable_sources(config: TrainConfig, context: FitContext) -> dict[str, type[Source]]:
    """Return the sources of the configuration that suit the data. Log why others are left out.

    Raises:
        DataError: no candidate source is left.
    """
    found: dict[str, type[Source]] = {}
    for name, source in config.sources.items():
        reason = source.unsuited(context, config.of(source.Options))
        if reason is None:
            found[name] = source
        else:
            unused = [one for one, (owner, _) in config.owners.items() if owner == name]
            given = sorted(config.model_fields_set.intersection(unused))
            say(f"{name} is left out: {reason}" + (f"; set for this source only: {', '.join(given)}" if given else ""))
    if not found.keys() & {*config.source_names}:
        names = ", ".join(config.source_names)
        hint = ", or use --pipeline auto" if config.pipeline == "paper" else ""
        raise DataError(
            f"no candidate source suits the data: expected one of {names}; see the log for the reasons{hint}"
        )
    return found
