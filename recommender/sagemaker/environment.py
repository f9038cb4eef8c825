"""The SageMaker container contract of training: the /opt/ml tree, hyperparameters.json, the environment.

Source: Amazon SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information". This module has every
environment name of training, and `server_environment` those of the server. They are read once, into a frozen snapshot.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from recommender.common.messages import json_object, read_json_object, shown
from recommender.errors import ConfigError, DataError

BASE_DIR = "SAGEMAKER_BASE_DIR"

# Variables that the SageMaker toolkits set for a script (contract T15); used if they are set, never required.
SM_MODEL_DIR = "SM_MODEL_DIR"
SM_OUTPUT_DATA_DIR = "SM_OUTPUT_DATA_DIR"
SM_CHANNEL = "SM_CHANNEL_"  # followed by the channel's name in capitals
SM_HYPERPARAMETERS = "SM_HPS"
SM_HYPERPARAMETER = "SM_HP_"  # followed by the hyper-parameter's name in capitals
SM_CURRENT_HOST = "SM_CURRENT_HOST"
SM_HOSTS = "SM_HOSTS"
SM_NETWORK_INTERFACE_NAME = "SM_NETWORK_INTERFACE_NAME"
SM_MASTER_PORT = "SM_MASTER_PORT"

DEFAULT_BASE_DIR = "/opt/ml"
DEFAULT_MASTER_PORT = 7777  # the port of a job's first host, as in SageMaker's own scripts (contract T17)
MAX_FAILURE_CHARACTERS = 1024  # limit of FailureReason in DescribeTrainingJob
CHANNELS = ("train", "validation", "test", "items")


@dataclass(frozen=True)
class Channel:
    """The location of a channel (a folder, a file or an s3:// URI) and its content type, if the job states one."""

    location: str
    content_type: str | None = None


@dataclass(frozen=True)
class Cluster:
    """The hosts of a job, in the same order on all of them."""

    current_host: str = "localhost"
    hosts: tuple[str, ...] = ("localhost",)
    network_interface: str | None = None
    port: int = DEFAULT_MASTER_PORT

    @property
    def rank(self) -> int:
        """The position of this host; the first one writes."""
        return self.hosts.index(self.current_host)


@dataclass(frozen=True)
class Container:
    """The directory tree that SageMaker mounts, under a root that can be moved for local runs.

    Attributes:
        base_dir: the root.
        environ: the environment with the toolkits' variables, which may name locations outside of the tree.
        locations: channels of the command line, which takes precedence.
    """

    base_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Container":
        """Return the tree under `SAGEMAKER_BASE_DIR`, by default /opt/ml, with the locations of `SM_*` variables."""
        return cls(Path(environ.get(BASE_DIR) or DEFAULT_BASE_DIR), dict(environ))

    def at(self, base_dir: Path) -> "Container":
        """Return the tree under another root, without the locations of the toolkits' variables."""
        directories = (SM_MODEL_DIR, SM_OUTPUT_DATA_DIR, SM_CHANNEL)
        others = {name: value for name, value in self.environ.items() if not name.startswith(directories)}
        return Container(base_dir, others, self.locations)

    @property
    def hyperparameters_file(self) -> Path:
        """input/config/hyperparameters.json, which may be missing in a local run."""
        return self._config_dir / "hyperparameters.json"

    @property
    def model_dir(self) -> Path:
        """The model folder, which becomes model.tar.gz and which the server reads."""
        return self._directory(SM_MODEL_DIR, "model")

    @property
    def metrics_file(self) -> Path:
        """output/data/metrics.json; the folder becomes output.tar.gz."""
        return self._directory(SM_OUTPUT_DATA_DIR, "output", "data") / "metrics.json"

    @property
    def report_file(self) -> Path:
        """output/data/report.html, next to the metrics."""
        return self.metrics_file.with_name("report.html")

    @property
    def failure_file(self) -> Path:
        """output/failure; its text becomes the job's FailureReason."""
        return self.base_dir / "output" / "failure"

    @property
    def checkpoint_dir(self) -> Path:
        """The folder that SageMaker copies to S3 while the job runs, and back before it resumes (contract T10).

        checkpointconfig.json names it; by default it is checkpoints. A path below /opt/ml moves with the root.

        Raises:
            ConfigError: the file can't be read, or names no folder.
        """
        path = self._config_dir / "checkpointconfig.json"
        named = read_json_object(path).get("LocalPath", f"{DEFAULT_BASE_DIR}/checkpoints")
        if not isinstance(named, str) or not Path(named).is_absolute():
            raise ConfigError(f"{path}: LocalPath: expected the absolute path of a folder, got {shown(named)}")
        folder = Path(named)
        return (
            self.base_dir / folder.relative_to(DEFAULT_BASE_DIR) if folder.is_relative_to(DEFAULT_BASE_DIR) else folder
        )

    def channel_dir(self, name: str) -> Path:
        """Return input/data/<name>, the folder with the files of a channel."""
        return self._directory(SM_CHANNEL + name.upper(), "input", "data", name)

    def channel(self, name: str) -> Channel | None:
        """Return the channel with that name; None if the job has no such channel.

        Raises:
            ConfigError: the channel has an input mode or a distribution that this image does not support.
        """
        if name in self.locations:
            return Channel(self.locations[name])
        folder, settings = self.channel_dir(name), self._channel_settings(name)
        if settings.get("TrainingInputMode") == "Pipe" or folder.with_name(f"{name}_0").is_fifo():
            raise ConfigError(f"channel {name!r}: expected TrainingInputMode File or FastFile, got Pipe")
        if len(self.cluster().hosts) > 1 and settings.get("S3DistributionType") == "ShardedByS3Key":
            raise ConfigError(
                f"channel {name!r}: expected S3DistributionType FullyReplicated, got ShardedByS3Key: "
                "every host reads all ratings and solves its share of users and items"
            )
        content_type = settings.get("ContentType")
        return Channel(str(folder), str(content_type) if content_type else None) if folder.exists() else None

    def required_channel(self, name: str) -> Channel:
        """Return the channel with that name, which the job must have.

        Raises:
            ConfigError: see `channel`.
            DataError: the job has no such channel.
        """
        channel = self.channel(name)
        if channel is None:
            others = self.channels_found()
            found = f", found only {', '.join(map(shown, others))}" if others else ""
            raise DataError(
                f"channel {name!r} is missing: expected a folder {self.channel_dir(name)} with files{found}. Give the "
                f"job an input channel of that name; for a local run set {BASE_DIR} or --{name}"
            )
        return channel

    def channels_found(self) -> list[str]:
        """Return the names of the job's channels: those of inputdataconfig.json and the folders in input/data."""
        folder = self.base_dir / "input" / "data"
        folders = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        return sorted({*self._input_data_config(), *folders})

    def unused_channels(self) -> list[str]:
        """Return the names of the job's channels that are never read."""
        return sorted(self._input_data_config().keys() - set(CHANNELS))

    def hyperparameters(self) -> list[tuple[str, dict[str, object]]]:
        """Return `(source, values)`, lowest precedence first: toolkits' variables, then the job's file (contract T16).

        Raises:
            ConfigError: a source can't be read or is not one JSON object.
        """
        prefix = SM_HYPERPARAMETER
        single: dict[str, object] = {
            name.removeprefix(prefix).lower().replace("-", "_"): value
            for name, value in self.environ.items()
            if name.startswith(prefix)
        }
        together = json_object(self.environ.get(SM_HYPERPARAMETERS) or "{}", SM_HYPERPARAMETERS)
        return [
            (SM_HYPERPARAMETERS, together),
            (f"{prefix}*", single),
            (str(self.hyperparameters_file), read_json_object(self.hyperparameters_file)),
        ]

    def cluster(self) -> Cluster:
        """Return the hosts of the job, from resourceconfig.json (contract T5); without it, only this host.

        Raises:
            ConfigError: the file is not as SageMaker writes it.
        """
        paths = [self._config_dir / name for name in ("resourceconfig.json", "resourceConfig.json")]
        path = next((path for path in paths if path.exists()), None)
        if path is not None:
            source, values = str(path), read_json_object(path)
        elif SM_HOSTS in self.environ:
            source = SM_HOSTS
            values = json_object(f'{{"hosts": {self.environ[SM_HOSTS]}}}', SM_HOSTS)
            values |= {"current_host": self.environ.get(SM_CURRENT_HOST)}
            values |= {"network_interface_name": self.environ.get(SM_NETWORK_INTERFACE_NAME)}
        else:
            return Cluster()
        hosts, current, interface = (values.get(key) for key in ("hosts", "current_host", "network_interface_name"))
        if not isinstance(hosts, list) or not isinstance(current, str) or current not in hosts:
            raise ConfigError(f"{source}: expected hosts and among them current_host, got {shown(current)}")
        port = whole_number(self.environ, SM_MASTER_PORT, DEFAULT_MASTER_PORT, 65_535)
        return Cluster(current, tuple(map(str, hosts)), str(interface) if interface else None, port)

    def write_failure(self, message: str) -> None:
        """Write the reason of a failure to the file that SageMaker reads (contract T8).

        Raises:
            OSError: it can't be written; no empty file is left.
        """
        self.failure_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.failure_file.write_text(message[:MAX_FAILURE_CHARACTERS], encoding="utf-8")
        except OSError:
            with suppress(OSError):
                self.failure_file.unlink()
            raise

    @property
    def _config_dir(self) -> Path:
        return self.base_dir / "input" / "config"

    def _directory(self, variable: str, *parts: str) -> Path:
        return Path(self.environ.get(variable) or self.base_dir.joinpath(*parts))

    def _input_data_config(self) -> dict[str, object]:
        return read_json_object(self._config_dir / "inputdataconfig.json")

    def _channel_settings(self, name: str) -> dict[str, object]:
        settings = self._input_data_config().get(name)
        return settings if isinstance(settings, dict) else {}


def whole_number(environ: Mapping[str, str], name: str, default: int, highest: int, lowest: int = 1) -> int:
    """Return the number in a variable, or the default if it is not set.

    Raises:
        ConfigError: the value is not a whole number in the range.
    """
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
        raise ConfigError(f"{name}: expected a whole number from {lowest} to {highest}, got {shown(text)}")
    return int(text)
