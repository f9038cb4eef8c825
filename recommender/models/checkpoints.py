"""Training checkpoints: a restarted job resumes where the previous one stopped.

Each checkpoint is a folder of `array_folder`, which refuses truncated and altered ones. A job resumes from the
newest valid one. SageMaker copies the folder to S3 and back (contract T10).
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch

from recommender.common import array_folder
from recommender.common.output import say
from recommender.data.interactions import Interactions
from recommender.errors import ArtifactError
from recommender.models.distributed import ALONE, Hosts
from recommender.models.iteration import Iteration, Start

FORMAT = "two-stage-recommender-checkpoint"
FORMAT_VERSION = 1
NO_ARRAY = b"\xff" * 8  # replaces the length of an array
KEPT = 2  # the newest checkpoint, and the one before it in case the newest is damaged


class Phase(StrEnum):
    """The two fits of a training, in order. The first chooses the number of iterations; the second is the result."""

    CHOOSE = "choose"
    FIT = "fit"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training.

    Attributes:
        phase: one of the two fits.
        start: the state from which this fit resumes.
        errors: validation RMSE after each iteration of the first fit.
    """

    phase: Phase
    start: Start
    errors: list[float]


def fingerprint(options: Mapping[str, object], data: Interactions, validation: Interactions | None) -> str:
    """Return the fingerprint of data and hyper-parameters, 16 hexadecimal digits.

    Missing ratings or weights give another fingerprint than any values do.
    """
    digest = hashlib.sha256(json.dumps(options).encode())
    for events in (data, validation):
        if events is None:
            continue
        names = (events.users.table.blob, events.items.table.blob)
        for array in (*names, events.user_num, events.item_num, events.rating, events.time, events.weight):
            if array is None:
                digest.update(NO_ARRAY)
            else:
                digest.update(len(array).to_bytes(8, "little"))
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


class Checkpoints:
    """The checkpoints of one job, in a folder that other jobs may share. Only the first host writes and reads them."""

    def __init__(self, folder: Path | None, job: str, hosts: Hosts = ALONE) -> None:
        self._folder = folder
        self._job = job
        self._hosts = hosts
        self._enabled = hosts.rank == 0 and folder is not None

    def save(self, phase: Phase, iteration: Iteration, errors: list[float]) -> None:
        """Write a checkpoint. If that fails, log it once and continue without checkpoints."""
        if not self._enabled or self._folder is None:
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
            array_folder.save(path, config, {name: tensor.numpy() for name, tensor in iteration.arrays.items()})
        except ArtifactError as error:
            say(f"checkpoints can't be written, the job continues without them: {error}")
            self._enabled = False
            return
        for older in self._paths()[KEPT:]:
            with contextlib.suppress(OSError):  # an old checkpoint that stays only takes space
                shutil.rmtree(older)

    def newest(self) -> Checkpoint | None:
        """Return the newest valid checkpoint of this job, the same on all hosts. Log and skip damaged ones."""
        found = self._newest_on_disk() if self._hosts.rank == 0 else None
        return found if self._hosts.size == 1 else _broadcast(found, self._hosts)

    def _newest_on_disk(self) -> Checkpoint | None:
        for path in self._paths():
            try:
                checkpoint = _load(path)
            except ArtifactError as error:
                say(f"{error}; trying an older checkpoint")
            else:
                say(f"resuming after iteration {checkpoint.start.number} of phase {checkpoint.phase}: {path}")
                return checkpoint
        if self._folder is not None and self._folder.is_dir() and any(self._folder.iterdir()):
            say(f"{self._folder}: no checkpoint for this data and these hyper-parameters; starting from the beginning")
        return None

    def _paths(self) -> list[Path]:
        """Return the checkpoints of this job, newest first: their names sort by age."""
        return [] if self._folder is None else sorted(self._folder.glob(f"{self._job}-*"), reverse=True)


def _load(path: Path) -> Checkpoint:
    config = array_folder.load_config(path, FORMAT, FORMAT_VERSION, "expected a checkpoint that train.py has written")
    names = array_folder.listed(path, FORMAT)
    arrays = array_folder.load_arrays(path, names, config)
    try:
        tensors = {name: torch.from_numpy(arrays.pop(name).copy()) for name in names}  # one copy at a time
        number, errors = config["number"], config["errors"]
        if type(number) is not int or number < 1 or not isinstance(errors, list) or not all(map(_is_number, errors)):
            raise ValueError("expected 'number', a whole number from 1, and 'errors', a list of numbers")
        if config["arrays"] != sorted(names):
            raise ValueError(f"expected 'arrays' to list {', '.join(names)}")
        return Checkpoint(Phase(config["phase"]), Start(number, tensors), errors)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path / array_folder.CONFIG_FILE}: not a valid checkpoint: {error}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _broadcast(found: Checkpoint | None, hosts: Hosts) -> Checkpoint | None:
    """Return the checkpoint of the first host on every host."""
    header: list[object] = []
    if found is not None:
        shapes = {name: list(array.shape) for name, array in found.start.arrays.items()}
        header = [found.phase, found.start.number, found.errors, shapes]
    text = json.dumps(header).encode()
    length = int(hosts.broadcast(torch.tensor([len(text)])))
    received = torch.tensor(list(text if hosts.rank == 0 else bytes(length)), dtype=torch.uint8)
    values = json.loads(bytes(hosts.broadcast(received).tolist()))
    if not values:
        return None
    phase, number, errors, shapes = values
    arrays = found.start.arrays if found else {name: torch.empty(shape) for name, shape in shapes.items()}
    return Checkpoint(Phase(phase), Start(number, {name: hosts.broadcast(arrays[name]) for name in shapes}), errors)
