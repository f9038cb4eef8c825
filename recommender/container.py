"""The SageMaker container contract: the /opt/ml tree, hyperparameters.json, the environment.

Source: Amazon SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information" and
"Use Your Own Inference Code with Hosting Services". Every environment name stands here and is read
once, into a frozen snapshot.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.errors import ConfigError, DataError
from recommender.validation import shown

BASE_DIR = "SAGEMAKER_BASE_DIR"
BIND_TO_PORT = "SAGEMAKER_BIND_TO_PORT"
MODEL_SERVER_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"

DEFAULT_BASE_DIR = "/opt/ml"
DEFAULT_PORT = 8080
MAX_FAILURE_CHARACTERS = 1024  # FailureReason of DescribeTrainingJob keeps no more


@dataclass(frozen=True)
class Container:
    """The directory tree that SageMaker mounts, under a root that can be moved for local runs."""

    base_dir: Path

    @classmethod
    def from_environment(cls) -> "Container":
        """The tree under `SAGEMAKER_BASE_DIR`, by default /opt/ml."""
        return cls(Path(os.environ.get(BASE_DIR) or DEFAULT_BASE_DIR))

    @property
    def hyperparameters_file(self) -> Path:
        """input/config/hyperparameters.json; it may be missing (a local run)."""
        return self.base_dir / "input" / "config" / "hyperparameters.json"

    @property
    def model_dir(self) -> Path:
        """What becomes model.tar.gz, and what the server reads."""
        return self.base_dir / "model"

    @property
    def metrics_file(self) -> Path:
        """output/data/metrics.json; the folder becomes output.tar.gz."""
        return self.base_dir / "output" / "data" / "metrics.json"

    @property
    def failure_file(self) -> Path:
        """output/failure; its text becomes the job's FailureReason."""
        return self.base_dir / "output" / "failure"

    def channel(self, name: str) -> Path:
        """input/data/<name>, where the files of a channel lie."""
        return self.base_dir / "input" / "data" / name

    def required_channel(self, name: str) -> Path:
        """As `channel`.

        Raises:
            DataError: the folder is not there.
        """
        path = self.channel(name)
        if not path.is_dir():
            raise DataError(
                f"channel {name!r} is missing: expected a folder {path} with files. "
                f"Give the job an input channel of that name, or set {BASE_DIR} for a local run"
            )
        return path

    def read_hyperparameters(self) -> dict[str, object]:
        """The job's hyper-parameters as the file has them; none where there is no file.

        Raises:
            ConfigError: the file is not readable or not one JSON object.
        """
        path = self.hyperparameters_file
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: expected one JSON object, {_reason(error)}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected one JSON object, got {shown(values)}")
        return values

    def write_failure(self, message: str) -> None:
        """Leave the reason where SageMaker looks for it (contract T8)."""
        self.failure_file.parent.mkdir(parents=True, exist_ok=True)
        self.failure_file.write_text(message[:MAX_FAILURE_CHARACTERS], encoding="utf-8")


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens and with how many processes."""

    port: int
    workers: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "ServerSettings":
        """Port and workers as SageMaker names them; by default 8080 and one worker a core.

        Raises:
            ConfigError: a variable is not a whole number in its range.
        """
        return cls(
            port=_whole_number(environ, BIND_TO_PORT, DEFAULT_PORT, 65_535),
            workers=_whole_number(environ, MODEL_SERVER_WORKERS, _available_cores(), 1_024),
        )


def _whole_number(environ: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= highest):
        raise ConfigError(f"{name}: expected a whole number from 1 to {highest}, got {shown(text)}")
    return int(text)


def _available_cores() -> int:
    # Not every platform can tell the cores this process may use from those that exist.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
