"""Where a training stands, on disk: a process that ends is followed by one that goes on as if nothing had been.

Each checkpoint is a folder of `storage`, so one that was cut short or altered is refused, and the newest good one
counts. SageMaker copies the folder to S3 and back (contract T10).
"""

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch

from recommender import storage
from recommender.config import TrainConfig
from recommender.data.interactions import Interactions
from recommender.errors import ArtifactError
from recommender.models.iteration import Iteration, Start
from recommender.progress import say

FORMAT = "two-stage-recommender-checkpoint"
FORMAT_VERSION = 1
KEPT = 2  # the newest, and one before it should the newest be damaged


class Phase(StrEnum):
    """The two fits of a training, in this order: one chooses the number of iterations, the other is the result."""

    CHOOSE = "choose"
    FIT = "fit"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands.

    Attributes:
        phase: which of its fits.
        start: where that fit goes on.
        errors: validation RMSE after each iteration of the first fit.
    """

    phase: Phase
    start: Start
    errors: list[float]


def job_of(config: TrainConfig, data: Interactions, validation: Interactions | None) -> str:
    """A name for what is computed, 16 hexadecimal digits: the same data and hyper-parameters have the same one."""
    digest = hashlib.sha256(json.dumps(config.model_dump()).encode())
    for ratings in (data, validation):
        for array in () if ratings is None else (ratings.user_num, ratings.item_num, ratings.rating, ratings.time):
            digest.update(len(array).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


class Checkpoints:
    """The checkpoints of one job in a folder that others may use too."""

    def __init__(self, folder: Path, job: str) -> None:
        self._folder = folder
        self._job = job
        self._works = True

    def save(self, phase: Phase, iteration: Iteration, errors: list[float]) -> None:
        """Keep this moment. Where nothing can be written, say so once and go on without."""
        if not self._works:
            return
        path = self._folder / f"{self._job}-{list(Phase).index(phase)}-{phase}-{iteration.number:06d}"
        config = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "phase": phase,
            "number": iteration.number,
            "errors": errors,
            "arrays": sorted(iteration.arrays),
        }
        try:
            storage.save(path, config, {name: tensor.numpy() for name, tensor in iteration.arrays.items()})
        except ArtifactError as error:
            say(f"no checkpoints: {error}")
            self._works = False
            return
        for older in self._own()[KEPT:]:
            with contextlib.suppress(OSError):  # it only takes space
                shutil.rmtree(older)

    def newest(self) -> Checkpoint | None:
        """The newest good one of this job; damaged ones are named and passed over."""
        for path in self._own():
            try:
                checkpoint = _load(path)
            except ArtifactError as error:
                say(f"{error}; an older checkpoint is tried")
            else:
                say(f"going on after iteration {checkpoint.start.number} of phase {checkpoint.phase}: {path}")
                return checkpoint
        if self._folder.is_dir() and any(self._folder.iterdir()):
            say(f"{self._folder}: no checkpoint of these data and hyper-parameters, starting from the beginning")
        return None

    def _own(self) -> list[Path]:
        """Newest first: the names of one job have the order in which it made them."""
        return sorted(self._folder.glob(f"{self._job}-*"), reverse=True)


def _load(path: Path) -> Checkpoint:
    config = storage.load_config(path, FORMAT, FORMAT_VERSION, "expected a checkpoint that train.py has written")
    arrays = {name: torch.from_numpy(storage.load_array(path, name, config).copy()) for name in config["arrays"]}
    return Checkpoint(Phase(config["phase"]), Start(config["number"], arrays), config["errors"])
