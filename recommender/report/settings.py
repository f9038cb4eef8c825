"""The hyper-parameters of a training, and commands for the next steps."""

import json
import shlex
import sys
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from recommender.config import as_written
from recommender.hyperparameters import TrainConfig
from recommender.training.training_run import TrainingRun


@dataclass(frozen=True)
class Setting:
    """A hyper-parameter.

    Attributes:
        name, value, default: as a user writes them.
        description: its description.
        changed: whether the value differs from the default.
        used: whether it has an effect with the model and solver.
    """

    name: str
    value: str
    default: str
    description: str
    changed: bool
    used: bool


@dataclass(frozen=True)
class Command:
    """A command line and its purpose."""

    purpose: str
    line: str


def settings(config: TrainConfig) -> list[Setting]:
    """Return every hyper-parameter of the model, in the order of the configuration."""
    unused = config.unused
    fields = TrainConfig.model_fields
    return [
        Setting(name, as_written(value), as_written(fields[name].default), str(fields[name].description),
                value != fields[name].default, name not in unused)
        for name, value in config.of_model.items()
    ]  # fmt: skip


def location_arguments(finished: TrainingRun) -> list[str]:
    """Return the locations of the training as arguments of a command line."""
    container = finished.container
    given = {"base-dir": str(container.base_dir), **container.locations}
    return [word for name, place in given.items() for word in (f"--{name}", place)]


def report_command(finished: TrainingRun) -> str:
    """Return the command that writes the complete report again."""
    return shlex.join([python(), "-m", "recommender", "report", *location_arguments(finished)])


def python() -> str:
    """Return the interpreter of this environment, as a user types it."""
    own, here = Path(sys.executable), Path.cwd()
    return str(own.relative_to(here)) if own.is_relative_to(here) else str(own)


def commands(finished: TrainingRun, chosen: Container[str]) -> list[Command]:
    """Return commands for the next steps, to be run in the project's folder.

    Args:
        finished: the training.
        chosen: the hyper-parameters that training chooses.
    """
    container, users = finished.container, finished.recommender.model.users
    given = [one for one in settings(finished.config) if one.changed or one.name in chosen]
    changed = [(f"--{one.name}", one.value) for one in given]
    options = [*location_arguments(finished), *(word for pair in changed for word in pair)]
    request = shlex.quote(json.dumps({"user_id": users.id(0)}))
    model = str(container.model_dir)
    scores = str(container.metrics_file.with_name("scores.parquet"))
    return [
        Command("train again with the same settings and choices", shlex.join([python(), "train.py", *options])),
        Command("serve the model", shlex.join([python(), "serve.py", "--base-dir", str(container.base_dir)])),
        Command("get recommendations",
                "curl localhost:8080/invocations -H 'Content-Type: application/json' -d " + request),
        Command("score all users offline",
                shlex.join([python(), "-m", "recommender", "score", "--model", model, "--output", scores])),
        Command("search for better settings",
                shlex.join([python(), "-m", "recommender", "tune", *location_arguments(finished)])),
        Command("write this report again, with every embedding size", report_command(finished)),
    ]  # fmt: skip
