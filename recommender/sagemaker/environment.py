"""The SageMaker container contract of training: the /opt/ml tree, hyperparameters.json, the environment.

Source: Amazon SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information". Every environment
name stands here, or in `hosting` where it is the server's, and is read once, into a frozen snapshot.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recommender.common.messages import json_object, read_json_object, shown
from recommender.errors import ConfigError, DataError

BASE_DIR = "SAGEMAKER_BASE_DIR"

# What the SageMaker toolkits set for a script (contract T15); honoured where they are set, never required.
SM_MODEL_DIR = "SM_MODEL_DIR"
SM_OUTPUT_DATA_DIR = "SM_OUTPUT_DATA_DIR"
SM_CHANNEL = "SM_CHANNEL_"  # and the channel's name in capitals
SM_HYPERPARAMETERS = "SM_HPS"
SM_HYPERPARAMETER = "SM_HP_"  # and the hyper-parameter's name in capitals
SM_CURRENT_HOST = "SM_CURRENT_HOST"
SM_HOSTS = "SM_HOSTS"
SM_NETWORK_INTERFACE_NAME = "SM_NETWORK_INTERFACE_NAME"
SM_MASTER_PORT = "SM_MASTER_PORT"

DEFAULT_BASE_DIR = "/opt/ml"
DEFAULT_MASTER_PORT = 7777  # where the first host of a job listens, as in SageMaker's own scripts (contract T17)
MAX_FAILURE_CHARACTERS = 1024  # FailureReason of DescribeTrainingJob keeps no more
CHANNELS = ("train", "validation", "test", "items")


@dataclass(frozen=True)
class Channel:
    """Where the files of a channel are: a folder, a file or an s3:// URI; and what they are where names do not say."""

    location: str
    content_type: str | None = None


@dataclass(frozen=True)
class Cluster:
    """The hosts of a job, in an order that all of them know."""

    current_host: str = "localhost"
    hosts: tuple[str, ...] = ("localhost",)
    network_interface: str | None = None
    port: int = DEFAULT_MASTER_PORT

    @property
    def rank(self) -> int:
        """This host's place; the first one writes."""
        return self.hosts.index(self.current_host)


@dataclass(frozen=True)
class Container:
    """The directory tree that SageMaker mounts, under a root that can be moved for local runs.

    Attributes:
        base_dir: the root.
        environ: where the toolkits' variables are looked up; they name places outside of the tree.
        locations: channels that the command line names, which wins over all else.
    """

    base_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Container":
        """The tree under `SAGEMAKER_BASE_DIR`, by default /opt/ml, and what `SM_*` variables say."""
        return cls(Path(environ.get(BASE_DIR) or DEFAULT_BASE_DIR), dict(environ))

    def at(self, base_dir: Path) -> "Container":
        """The tree under another root, where the toolkits' variables do not say where things are."""
        directories = (SM_MODEL_DIR, SM_OUTPUT_DATA_DIR, SM_CHANNEL)
        others = {name: value for name, value in self.environ.items() if not name.startswith(directories)}
        return Container(base_dir, others, self.locations)

    @property
    def hyperparameters_file(self) -> Path:
        """input/config/hyperparameters.json; it may be missing (a local run)."""
        return self._config_dir / "hyperparameters.json"

    @property
    def model_dir(self) -> Path:
        """What becomes model.tar.gz, and what the server reads."""
        return self._directory(SM_MODEL_DIR, "model")

    @property
    def metrics_file(self) -> Path:
        """output/data/metrics.json; the folder becomes output.tar.gz."""
        return self._directory(SM_OUTPUT_DATA_DIR, "output", "data") / "metrics.json"

    @property
    def report_file(self) -> Path:
        """output/data/report.html, beside the metrics."""
        return self.metrics_file.with_name("report.html")

    @property
    def failure_file(self) -> Path:
        """output/failure; its text becomes the job's FailureReason."""
        return self.base_dir / "output" / "failure"

    @property
    def checkpoint_dir(self) -> Path:
        """What SageMaker copies to S3 while the job runs, and back before it goes on (contract T10)."""
        return self.base_dir / "checkpoints"

    def channel_dir(self, name: str) -> Path:
        """input/data/<name>, where the files of a channel lie."""
        return self._directory(SM_CHANNEL + name.upper(), "input", "data", name)

    def channel(self, name: str) -> Channel | None:
        """The channel of that name; None where the job has none.

        Raises:
            ConfigError: the job hands it over in a way that this image does not take.
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
        """As `channel`.

        Raises:
            ConfigError: see `channel`.
            DataError: the job has no such channel.
        """
        channel = self.channel(name)
        if channel is None:
            raise DataError(
                f"channel {name!r} is missing: expected a folder {self.channel_dir(name)} with files. Give the job an "
                f"input channel of that name; for a local run set {BASE_DIR} or name it by --{name}"
            )
        return channel

    def unused_channels(self) -> list[str]:
        """The job's channels that nothing is read from."""
        return sorted(self._input_data_config().keys() - set(CHANNELS))

    def hyperparameters(self) -> list[tuple[str, dict[str, object]]]:
        """`(source, values)`, lowest first: the toolkits' variables, then the job's file (contract T16).

        Raises:
            ConfigError: a source is not readable or not one JSON object.
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
        """The hosts of the job, from resourceconfig.json (contract T5); without it this host alone.

        Raises:
            ConfigError: the file is not what SageMaker writes.
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
        """Leave the reason where SageMaker looks for it (contract T8)."""
        self.failure_file.parent.mkdir(parents=True, exist_ok=True)
        self.failure_file.write_text(message[:MAX_FAILURE_CHARACTERS], encoding="utf-8")

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
    """What a variable says, or the default where it is not set.

    Raises:
        ConfigError: it is not a whole number in the range.
    """
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
        raise ConfigError(f"{name}: expected a whole number from {lowest} to {highest}, got {shown(text)}")
    return int(text)
