r"""Search for the hyper-parameters with the least validation error, on one machine.

\b
    python -m recommender.tune --base-dir my-job --trials 50            # my-job/tuning/hyperparameters.json
    python -m recommender.tune --base-dir my-job --embedding_dim 50     # of the others, with this one fixed

The ranges are those that SageMaker's automatic tuning gets (SEARCH_SPACE in recommender/config.py). The same command
goes on where an earlier one ended: with N trials done, and --trials M, it makes M - N more. Test is never looked at.
"""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender import storage
from recommender.config import Range, TrainConfig
from recommender.container import Container
from recommender.errors import ConfigError, DataError, EngineError, FitError
from recommender.options import options_of, placed, places, run
from recommender.progress import say

if TYPE_CHECKING:
    import optuna

    from recommender.data.interactions import Interactions

TRIALS = 30
MAX_TRIALS = 100_000
INSTALL = "pip install -r requirements-tune.txt"


def search(config: TrainConfig, container: Container, trials: int) -> dict[str, float | int]:
    """Find the values of `config.search_space` whose fit predicts the validation ratings best.

    The first trial is that of the defaults. What was tried is kept in tuning/ of the job's tree, one journal for all
    searches; only trials of the same data, fixed values and ranges count.

    Returns:
        The best values by their names.

    Raises:
        ConfigError: every hyper-parameter of the search is set.
        DataError: a channel is missing or wrong, or there is nothing to validate on.
        EngineError: Optuna is not installed.
        FitError: no trial has ended in a finite error.
    """
    space = config.search_space
    if not space:
        raise ConfigError(
            "every hyper-parameter of the search is set, by the command line or hyperparameters.json: leave one out"
        )
    try:
        import optuna
    except ImportError:
        raise EngineError(f"the search needs Optuna: {INSTALL}") from None
    from recommender.checkpoints import job_of  # torch and pandas: two seconds
    from recommender.inputs import training_data

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data, validation = training_data(config, container)
    study = _study(tuning_dir(container) / "journal", f"{job_of(config, data, validation)} {sorted(space.items())}")
    done = sum(trial.state.is_finished() for trial in study.trials)
    # A sampler that began with the same seed would propose what it has proposed before.
    study.sampler = optuna.samplers.TPESampler(seed=(config.seed + done) % 2**32)
    if done:
        say(f"{done} trials were made before")
    else:
        study.enqueue_trial({name: getattr(config, name) for name in space})
    study.optimize(
        lambda trial: _validation_error(trial, config, data, validation),
        n_trials=max(0, trials - done),
        catch=(FitError,),
    )
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise FitError("no trial has ended in a finite error")
    best = study.best_trial
    say(
        f"best: trial {best.number + 1} of {len(study.trials)}: validation_rmse={best.value:.6g}; {_shown(best.params)}"
    )
    return dict(best.params)


def _validation_error(
    trial: "optuna.Trial", config: TrainConfig, data: "Interactions", validation: "Interactions | None"
) -> float:
    """The least validation RMSE of a fit with the values that the trial proposes.

    Raises:
        DataError: there is nothing to validate on.
        FitError: it is not finite.
    """
    from recommender.models.training import choose_iterations

    values = {name: _suggest(trial, name, of) for name, of in config.search_space.items()}
    choice = choose_iterations(data, config.model_copy(update=values), validation)
    if not choice.num_validation:
        raise DataError("channel validation: there is nothing to validate on: give the job one")
    error = choice.rmse[choice.num_iterations - 1]
    if not math.isfinite(error):
        raise FitError("the error is not finite")
    say(f"trial {trial.number + 1}: validation_rmse={error:.6g}; {_shown(values)}")
    return error


def tuning_dir(container: Container) -> Path:
    """Where the search keeps what it has tried and found."""
    return container.base_dir / "tuning"


def _study(journal: Path, name: str) -> "optuna.Study":
    """The study of that name in a journal, which holds one JSON object a line."""
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


def command() -> click.Command:
    """The command line."""
    trials = click.Option(
        ["--trials"], type=click.IntRange(1, MAX_TRIALS), default=TRIALS, show_default=True,
        help="Trials in all, with those made before.",
    )  # fmt: skip

    def tune(trials: int, **options: object) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        container = placed(given)
        fixed = TrainConfig.from_layers([*container.hyperparameters(), ("command line", given)])
        found = search(fixed, container, trials)
        path = tuning_dir(container) / "hyperparameters.json"
        write(path, {**fixed.model_dump(include=fixed.model_fields_set), **found})
        say(f"{path}: the hyper-parameters of a job, as input/config/hyperparameters.json")

    params = [*places(), trials, *options_of(TrainConfig)]
    return click.Command("tune", callback=tune, params=params, help=str(__doc__).replace(r"\b", "\b"))


def write(path: Path, values: dict[str, object]) -> None:
    """Write hyper-parameters as SageMaker hands them to a job: every value a string."""
    strings = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    storage.write_text(path, json.dumps(strings, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run(
        command(), arguments, "recommender.tune", "stopped: the same command goes on from the trials that are made"
    )


if __name__ == "__main__":
    sys.exit(main())
