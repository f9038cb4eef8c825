"""A search for the hyper-parameters with the least validation error, on one machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.candidates import SOURCES
from recommender.candidates.base import Source
from recommender.common.files import write_text
from recommender.common.progress import say
from recommender.components.fit_context import FitContext
from recommender.config import Range
from recommender.errors import ConfigError, FitError
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Container

if TYPE_CHECKING:
    import optuna


def search(config: TrainConfig, container: Container, trials: int) -> dict[str, float | int]:
    """Find the values of `config.search_space` with the least validation error.

    The first trial uses the defaults. Trials are kept in tuning/ of the job's tree, in one journal for all searches.
    Only trials with the same data, fixed values and ranges count.

    Returns:
        The best values by their names.

    Raises:
        ConfigError: every hyper-parameter of the search space is set.
        DataError: a channel is missing or wrong, or there is nothing to validate on.
        ModuleNotFoundError: Optuna is not installed.
        FitError: no trial reached a finite error.
    """
    space = config.search_space
    if not space:
        raise ConfigError(
            "the command line or hyperparameters.json sets every hyper-parameter of the search: leave one out"
        )
    import optuna

    from recommender.models.checkpoints import fingerprint  # torch and pandas: two seconds
    from recommender.training.inputs import training_data

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data, validation = training_data(config, container)
    context = FitContext(data, validation)
    study = _study(
        tuning_dir(container) / "journal", f"{fingerprint(config.of_model, data, validation)} {sorted(space.items())}"
    )
    done = sum(trial.state.is_finished() for trial in study.trials)
    # A sampler with the same seed would repeat its earlier proposals.
    study.sampler = optuna.samplers.TPESampler(seed=(config.seed + done) % 2**32)
    if done:
        say(f"resuming a search with {done} trials")
    else:
        study.enqueue_trial({name: getattr(config, name) for name in space})
    study.optimize(
        lambda trial: _try(trial, config, context),
        n_trials=max(0, trials - done),
        catch=(FitError,),
    )
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise FitError("no trial reached a finite validation error")
    best = study.best_trial
    say(
        f"best: trial {best.number + 1} of {len(study.trials)}: validation_rmse={best.value:.6g}; {_shown(best.params)}"
    )
    return dict(best.params)


def validation_error(config: TrainConfig, context: FitContext) -> float:
    """Return the error of the first candidate source that has one.

    Raises:
        ConfigError: no candidate source has one.
        RecommenderError: see `Source.validation_error`.
    """
    for name in config.source_names:
        source: type[Source] = SOURCES[name]
        error = source.validation_error(context, config.of(source.Options))
        if error is not None:
            return error
    raise ConfigError(
        f"candidate_sources: expected a source with a validation error to minimize, {config.candidate_sources} has none"
    )


def _try(trial: "optuna.Trial", config: TrainConfig, context: FitContext) -> float:
    """Return the validation error with the values that the trial proposes."""
    values = {name: _suggest(trial, name, of) for name, of in config.search_space.items()}
    error = validation_error(config.model_copy(update=values), context)
    say(f"trial {trial.number + 1}: validation_rmse={error:.6g}; {_shown(values)}")
    return error


def tuning_dir(container: Container) -> Path:
    """Return the folder of the search: its trials and its result."""
    return container.base_dir / "tuning"


def _study(journal: Path, name: str) -> "optuna.Study":
    """Return the study with that name in a journal, which has one JSON object per line."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    journal.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(storage=storage, study_name=name, load_if_exists=True)


def _suggest(trial: "optuna.Trial", name: str, of: Range) -> float | int:
    if of.whole:
        return int(trial.suggest_int(name, int(of.low), int(of.high), log=of.logarithmic))
    return float(trial.suggest_float(name, of.low, of.high, log=of.logarithmic))


def _shown(values: dict[str, float | int]) -> str:
    return " ".join(f"--{name} {value:.6g}" for name, value in values.items())


def write(path: Path, values: dict[str, object]) -> None:
    """Write hyper-parameters as SageMaker passes them to a job: every value as a string."""
    strings = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    write_text(path, json.dumps(strings, indent=2) + "\n")
