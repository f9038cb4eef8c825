"""The search for the hyper-parameters with the best validation metric, on one machine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.common.files import write_text
from recommender.common.output import say
from recommender.components.fit_context import FitContext
from recommender.config import Range
from recommender.errors import ConfigError, DataError, FitError
from recommender.evaluation.metric_names import NUM_TARGETS
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Container
from recommender.training.objectives import Objective, objective_of, search_space

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Search:
    """A search on the data of one job.

    Attributes:
        config: the hyper-parameters of the job.
        objective: the objective to optimize.
        space: the ranges to search.
        context: the data.
    """

    config: TrainConfig
    objective: Objective
    space: Mapping[str, Range]
    context: FitContext

    @property
    def name(self) -> str:
        """Return the name of the search. Trials share it only if data, fixed values and ranges are the same."""
        from recommender.models.checkpoints import fingerprint  # imports torch and pandas, which takes two seconds

        context = self.context
        data = fingerprint(self.config.of_model, context.data, context.validation)
        titles = hashlib.sha256("\n".join(context.titles).encode()).hexdigest()[:16]
        return f"{self.objective.metric} {data} {titles} {sorted(self.space.items())}"


def search(
    config: TrainConfig, container: Container, trials: int, objective: str | None = None
) -> dict[str, float | int]:
    """Find the values of the search space with the best validation metric.

    The first trial uses the defaults. One journal in the folder tuning/ of the job keeps the trials of all searches.

    Args:
        config: the hyper-parameters. Those that the user set stay fixed.
        container: the location of the job.
        trials: total number of trials, including earlier ones.
        objective: a name of `OBJECTIVES`; by default the objective of the pipeline.

    Returns:
        The best values by name.

    Raises:
        ConfigError: the user set every hyper-parameter of the search space, or the pipeline does not measure the
            objective.
        DataError: a channel is missing or invalid, or there is nothing to validate on.
        ModuleNotFoundError: Optuna is not installed.
        FitError: no trial reached a finite value.
    """
    chosen = objective_of(config, objective)
    if not search_space(config, chosen):
        raise ConfigError(
            "the command line or hyperparameters.json sets every hyper-parameter of the search: leave out at least one"
        )
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    current = _search(config, container, chosen)
    study = _study(tuning_dir(container) / "journal", current)
    done = sum(trial.state.is_finished() for trial in study.trials)
    # A sampler with the same seed would repeat its earlier proposals.
    study.sampler = optuna.samplers.TPESampler(seed=(config.seed + done) % 2**32)
    if done:
        say(f"resuming a search with {done} trials")
    else:
        study.enqueue_trial({name: getattr(config, name) for name in current.space})
    study.optimize(
        lambda trial: _try(trial, current),
        n_trials=max(0, trials - done),
        catch=(FitError,),
    )
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise FitError(f"no trial reached a finite {chosen.metric}: see the log for the errors of the trials")
    best = study.best_trial
    found = f"{chosen.metric}={best.value:.6g}; {_shown(best.params)}"
    say(f"best: trial {best.number + 1} of {len(study.trials)}: {found}")
    if study.trials[0].value is not None:
        say(f"with the defaults (trial 1): {chosen.metric}={study.trials[0].value:.6g}; measure both on a test channel")
    return dict(best.params)


def _search(config: TrainConfig, container: Container, objective: Objective) -> Search:
    """Read the data of the job. Remove hyper-parameters without an effect on this data from the search space."""
    from recommender.training.choose import suitable_sources  # imports torch and pandas, which takes two seconds
    from recommender.training.fit_model import titles_of
    from recommender.training.inputs import item_titles, training_data

    titles = item_titles(config, container)
    data, validation = training_data(config, container, titles)
    context = FitContext(data, validation, titles_of(data, titles))
    in_use = {*suitable_sources(config, context), *config.features}
    space = {name: of for name, of in search_space(config, objective).items() if config.owners[name][0] in in_use}
    return Search(config, objective, space, context)


def objective_value(config: TrainConfig, context: FitContext, objective: Objective) -> float:
    """Return the value of an objective with these hyper-parameters.

    Raises:
        ConfigError: no source measures the objective.
        RecommenderError: there is nothing to validate on, or a fit failed.
    """
    return validation_error(config, context) if objective.of_source else _ndcg(config, context, objective)


def _ndcg(config: TrainConfig, context: FitContext, objective: Objective) -> float:
    """Choose options and ranking as a training does, and return the resulting metric."""
    from recommender.training.choose import suitable_sources  # imports torch and pandas, which takes two seconds
    from recommender.training.fit_model import choose

    choose(config, context, suitable_sources(config, context))
    if not context.metrics[NUM_TARGETS]:
        raise DataError(
            "channel train: there is nothing to validate on: expected users with at least two items, and other users "
            "with the same last item"
        )
    return float(str(context.metrics[objective.metric]))


def validation_error(config: TrainConfig, context: FitContext) -> float:
    """Return the validation error of the first source in use that has one.

    Raises:
        ConfigError: no source has a validation error.
        RecommenderError: see `Source.validation_error`.
    """
    for source in config.sources.values():
        options = config.of(source.Options)
        error = None if source.unsuited(context, options) else source.validation_error(context, options)
        if error is not None:
            return error
    raise ConfigError(
        f"the sources {', '.join(config.sources)} have no validation error to minimize on this data: expected a source "
        "that predicts ratings, and ratings in the train channel"
    )


def _try(trial: "optuna.Trial", current: Search) -> float:
    """Return the value of the objective with the values that the trial proposes."""
    values = {name: _suggest(trial, name, of) for name, of in current.space.items()}
    found = objective_value(current.config.model_copy(update=values), current.context, current.objective)
    say(f"trial {trial.number + 1}: {current.objective.metric}={found:.6g}; {_shown(values)}")
    return found


def tuning_dir(container: Container) -> Path:
    """Return the folder for the trials and the result of a search."""
    return container.base_dir / "tuning"


def _study(journal: Path, current: Search) -> "optuna.Study":
    """Return the study of a search from a journal. The journal has one JSON object per line."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    journal.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    directions = optuna.study.StudyDirection
    direction = directions.MAXIMIZE if current.objective.maximize else directions.MINIMIZE
    return optuna.create_study(storage=storage, study_name=current.name, direction=direction, load_if_exists=True)


def _suggest(trial: "optuna.Trial", name: str, of: Range) -> float | int:
    if of.whole:
        return int(trial.suggest_int(name, int(of.low), int(of.high), log=of.logarithmic))
    return float(trial.suggest_float(name, of.low, of.high, log=of.logarithmic))


def _shown(values: dict[str, float | int]) -> str:
    return " ".join(f"--{name} {value:.6g}" for name, value in values.items())


def write(path: Path, values: dict[str, object]) -> None:
    """Write hyper-parameters in the form that SageMaker passes to a job: every value is a string."""
    strings = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    write_text(path, json.dumps(strings, indent=2) + "\n")
