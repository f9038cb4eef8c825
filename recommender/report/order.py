"""The weights of the ranking, and the options that training chose."""

from collections.abc import Mapping
from dataclasses import dataclass

from recommender.components.fit_context import FitContext
from recommender.config import as_written
from recommender.evaluation.metric_names import NUM_TARGETS, validation_name
from recommender.training.training_run import TrainingRun

LEARNED = "learned ranking"


@dataclass(frozen=True)
class Weights:
    """The learned ranking.

    Attributes:
        weights: column -> weight above 0, the largest first.
        session_weights: the weights of requests within a session, the largest first; empty: `weights`.
        ndcg: the learned ranking and each source alone -> NDCG at 100 on held-out events, the greatest first; empty
            if metrics.json has none.
        targets: number of held-out events.
        alone: the source that decides the order alone; None: the learned ranking decides.
    """

    weights: dict[str, float]
    session_weights: dict[str, float]
    ndcg: dict[str, float]
    targets: int
    alone: str | None

    @property
    def sentence(self) -> str:
        """A sentence that says whether the learned ranking or one source decides, and why."""
        if not self.targets:
            return "No event could be held out, so the weights are those that training begins with."
        if self.alone is not None:
            return f"{self.alone} alone is better than the learned ranking beyond noise, so it decides the order."
        return "The learned ranking decides the order: no source alone is better beyond noise."


@dataclass(frozen=True)
class Chosen:
    """A source and the options that training chose for it: hyper-parameter -> value as a user writes it."""

    source: str
    options: Mapping[str, str]


def weights(finished: TrainingRun) -> Weights | str:
    """Return the weights of the ranking, or a sentence that says why there are none."""
    model, metrics = finished.recommender.model, finished.metrics
    if model.ranking is None:
        given = {name: part.weight(model.config.of(part.Options)) for name, part in model.config.features.items()}
        shares = ", ".join(f"{name} {'the rest' if share is None else f'{share:g}'}" for name, share in given.items())
        return f"The pipeline paper learns no weights. The weights of its features are set: {shares}."
    used, of_session = _descending(model.ranking.weights), _descending(model.ranking.session_weights or {})
    measured = {
        name: metrics.get(validation_name(order))
        for order, name in {"final": LEARNED, **{name: name for name in model.config.source_names}}.items()
    }
    ndcg = {name: value for name, value in measured.items() if isinstance(value, float)}
    targets = metrics.get(NUM_TARGETS)
    return Weights(
        used,
        of_session,
        _descending(ndcg),
        targets if isinstance(targets, int) else 0,
        next((name for name in used if used == {name: 1.0} and ndcg.get(name, 0) > ndcg.get(LEARNED, 0)), None),
    )


def _descending(values: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(values.items(), key=lambda pair: -pair[1]))


def chosen(finished: TrainingRun) -> list[Chosen]:
    """Return the options of each source that training chose on held-out events, with their values."""
    model = finished.recommender.model
    if model.ranking is None:
        return []
    context = FitContext(finished.data)
    found: list[Chosen] = []
    for name, source in model.sources.items():
        options = model.config.of(type(source).Options)
        axes = source.choices(context, options)
        names = dict.fromkeys(option for axis in axes for values in axis for option in values)
        if names:
            values = {source.hyperparameter(option): as_written(getattr(options, option)) for option in names}
            found.append(Chosen(name, values))
    return found
