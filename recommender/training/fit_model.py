"""Training data -> a fitted model: choose options and ranking, then fit each component in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recommender.artifacts.model_folder import Model
from recommender.candidates.base import Source
from recommender.common.messages import shown
from recommender.common.output import say
from recommender.components.base import Component
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable
from recommender.evaluation.metric_names import NUM_TARGETS, validation_name
from recommender.hyperparameters import TrainConfig
from recommender.models.questionnaire import SIZE, questionnaire
from recommender.ranking.learned import LearnedRanking
from recommender.training.choose import MIN_TARGETS, RankingChoice, choose_options, choose_ranking, suitable_sources
from recommender.training.judge import Judge
from recommender.training.questions import useful_questions


def fit_model(config: TrainConfig, context: FitContext) -> Model:
    """Fit all components in use. Add their metrics to the context.

    Raises:
        RecommenderError: a fit failed, or no candidate source suits the data.
    """
    sources = suitable_sources(config, context)
    if config.pipeline == "paper":
        return _model(config, context, _fit(config, context, sources), _fit(config, context, config.features))
    choice = choose(config, context, sources)
    config = choice.config
    if choice.ranking is None:
        return _model(config, context, choice.fitted, {})
    if choice.ranking.used != "final":
        used = choice.ranking.used
        say(f"{used} alone is better than the learned ranking on the held-out events: {used} decides the order")
    fitted = dict(choice.fitted)
    for name in [name for name in sources if name not in fitted]:
        fitted[name] = sources[name].fit(context, config.of(sources[name].Options))
        context.memo.clear()  # no other source needs the intermediate results of this one
    features = _fit(config, context, config.features)
    return _model(config, context, fitted, features, choice.ranking.ranking, choice.questions)


@dataclass(frozen=True)
class Choice:
    """The choices on targets inside the training data.

    Attributes:
        config: the configuration with the chosen options.
        ranking: the chosen ranking and its metrics; None on all hosts but the first.
        fitted: the sources that several hosts fit together, fitted to all data.
        questions: items to ask a new user about, the most useful first.
    """

    config: TrainConfig
    ranking: RankingChoice | None
    fitted: Mapping[str, Source]
    questions: Sequence[int] = ()


def choose(config: TrainConfig, context: FitContext, sources: Mapping[str, type[Source]]) -> Choice:
    """Choose options and ranking of the pipeline auto. Add the metrics behind the choice to the context.

    Args:
        config: the configuration. Options that the user set do not change.
        context: the training data; targets are held out of it.
        sources: the sources of the configuration that suit the data.

    Raises:
        RecommenderError: a fit failed.
    """
    judge = Judge.of(context, config.seed)
    say(f"choosing options and ranking on {len(judge.targets):,} held-out events of the training data")
    if len(judge.targets) < MIN_TARGETS:
        say(
            f"warning: these are too few events to choose anything: expected at least {MIN_TARGETS} users whose last "
            "item other users have, too. The recommendations may be no better than popular items"
        )
    # Sources that several hosts fit together come first. So the other hosts need not wait for the first one's choices.
    fitted: dict[str, Source] = {}
    inner: dict[str, Source] = {}
    for name in [name for name, source in sources.items() if source.is_distributed]:
        options = config.of(sources[name].Options)
        fitted[name] = sources[name].fit(context, options)
        inner[name] = fitted[name].refit(judge.context, options)
    if context.hosts is not None and context.hosts.rank > 0:
        return Choice(config, None, fitted)
    for name in [name for name in sources if name not in fitted]:
        config, inner[name] = choose_options(name, sources[name], config, judge)
    context.watch.lap("choose_options")
    ranked = {name: inner[name] for name in sources if name in {*config.source_names, *config.scored_names}}
    proposing = [name for name in config.source_names if name in ranked]
    found = choose_ranking(ranked, _fit(config, judge.context, config.features), proposing, judge)
    context.metrics[NUM_TARGETS] = len(judge.targets)
    if len(judge.targets):
        context.metrics.update({validation_name(name): value for name, value in found.ndcg.items()})
    context.watch.lap("choose_ranking")
    return Choice(config, found, fitted, useful_questions(judge, ranked, found.ndcg))


def _fit(config: TrainConfig, context: FitContext, components: Mapping[str, type[Component]]) -> dict[str, Any]:
    return {name: component.fit(context, config.of(component.Options)) for name, component in components.items()}


def _model(
    config: TrainConfig,
    context: FitContext,
    sources: Mapping[str, Source],
    features: Mapping[str, Any],
    ranking: LearnedRanking | None = None,
    questions: Sequence[int] = (),
) -> Model:
    return Model(
        config,
        context.data.users,
        context.data.items,
        context.histories,
        StringTable.from_strings(context.titles),
        {name: sources[name] for name in config.components if name in sources},
        features,
        ranking,
        questionnaire=questionnaire(context.histories, len(context.data.items), questions[:SIZE]),
    )


def titles_of(data: Interactions, titles: pd.DataFrame | None) -> list[str]:
    """Return the title of every item, '' if unknown. The first non-empty title of an item counts.

    Args:
        data: the data set with the items.
        titles: columns item_id and title, from `channels.read_items`.
    """
    known: dict[str, str] = {}
    if titles is not None:
        named = titles[titles["title"].str.strip() != ""].drop_duplicates("item_id")
        known = dict(zip(named["item_id"], named["title"], strict=True))
    found = [known.get(item_id, "") for item_id in data.items]
    with_events = np.bincount(data.item_num, minlength=len(data.items)) > 0
    if known and not any(title for title, has_events in zip(found, with_events.tolist(), strict=True) if has_events):
        untitled = data.items.id(int(np.argmax(with_events)))
        say(
            f"warning: no item of the channel train has a title. Its IDs are such as {shown(untitled)}, those of the "
            f"channel items such as {shown(next(iter(known)))}"
        )
    say(f"{sum(map(bool, found)):,} of {len(found):,} items have a title")
    return found
