"""The directory tree of a training job: tests write its inputs and read its outputs."""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recommender.cli import train
from recommender.data.channels import read_events, read_items
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import DataError
from recommender.prepare.config import PrepareConfig
from recommender.prepare.duckdb_engine import DuckDBEngine
from recommender.prepare.output import opened
from recommender.prepare.run import run
from recommender.sagemaker.environment import BASE_DIR, Container
from recommender.synthetic.generate import generate
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE, write_raw

ROOT = Path(__file__).parents[2]
NO_REPORT = {"SM_HP_REPORT": "false"}  # the hyper-parameters of lowest priority; tests/report turns the page on


@dataclass(frozen=True)
class Job:
    """The directory tree of a training job."""

    base_dir: Path

    @property
    def container(self) -> Container:
        return Container(self.base_dir)

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file of a channel, for example `write("train/a.csv", ...)`."""
        file = self.base_dir / "input" / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def write_synthetic(self, users: int, items: int, ratings: int, seed: int = 0) -> None:
        """Write the channels of a synthetic data set; a review of a variant counts for its parent."""
        raw, channels = self.base_dir / "raw", str(self.base_dir / "input" / "data")
        write_raw(generate(users, items, ratings, seed), raw)
        config = PrepareConfig(item_key="parent_asin")
        with opened(channels, engine_writes_s3=False) as output, DuckDBEngine(output.staging, "500MB") as engine:
            run([str(raw / REVIEWS_FILE)], [str(raw / METADATA_FILE)], config, engine, output)

    def ratings(self, channel: str = "train") -> pd.DataFrame:
        return self.events({}, channel)

    def events(self, options: Mapping[str, object], channel: str = "train") -> pd.DataFrame:
        with open_channel(self.container.channel_dir(channel)) as files:
            return read_events(files, EventOptions.model_validate(options))

    def problem(self, name: str, content: str | bytes, **options: object) -> str:
        """Return the error message for a file of the channel train, without the part up to its name."""
        self.write(f"train/{name}", content)
        with pytest.raises(DataError) as error:
            self.events(options)
        message = str(error.value)
        assert message.isprintable()
        assert len(message) < 600
        return message.partition(f"{name}: ")[2]

    def titles(self, **options: object) -> pd.DataFrame:
        with open_channel(self.container.channel_dir("items")) as files:
            return read_items(files, EventOptions.model_validate(options))

    def write_hyperparameters(self, **values: object) -> None:
        file = self.container.hyperparameters_file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def write_config(self, name: str, content: str) -> None:
        """Write a file of input/config."""
        file = self.container.hyperparameters_file.with_name(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def start_training(
        self, *arguments: str, prefix: Sequence[str] = (), **environment: str
    ) -> "subprocess.Popen[str]":
        """Start train.py as a process with pipes for its output."""
        return subprocess.Popen(
            [*prefix, sys.executable, str(ROOT / "train.py"), *arguments],
            env=os.environ | {BASE_DIR: str(self.base_dir)} | NO_REPORT | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run train.py as SageMaker does, as a process."""
        return subprocess.run(
            [sys.executable, str(ROOT / "train.py")],
            env=os.environ | {BASE_DIR: str(self.base_dir)} | NO_REPORT | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def train_here(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Call train.py's main in this process; this saves the two seconds of its imports."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name, value in ({BASE_DIR: str(self.base_dir)} | NO_REPORT | environment).items():
                patch.setenv(name, value)
            code = train.main(list(arguments))
        return subprocess.CompletedProcess(["train.py", *arguments], code, out.getvalue(), err.getvalue())

    @property
    def log(self) -> str:
        """The output of `train_shared`."""
        return (self.base_dir / "log").read_text()

    def train_shared(self) -> None:
        """Run train.py as a process, which must succeed; keep its output for `log`."""
        result = self.train()
        assert result.returncode == 0, result.stderr
        (self.base_dir / "log").write_text(result.stdout)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The SHA-256 of each file of the model folder, by name."""
        folder = self.container.model_dir
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*"))}

    @property
    def failure(self) -> str | None:
        file = self.container.failure_file
        return file.read_text() if file.exists() else None

    @property
    def model_files(self) -> list[str]:
        folder = self.container.model_dir
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    @property
    def model_bytes(self) -> dict[str, bytes]:
        """The content of each file of the model folder, by relative path."""
        folder = self.container.model_dir
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    @property
    def metrics(self) -> dict[str, Any]:
        return dict(json.loads(self.container.metrics_file.read_text()))
