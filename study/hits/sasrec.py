"""RecTools' SASRec, fitted by `study/sasrec/worker.py` in a separate environment, which `make study` builds."""

import json
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from recommender.data.interactions import Interactions
from study.common import ROOT
from study.data import Data
from study.hits.contestants import CRITERION, Params, Value
from study.hits.environments import Environment
from study.hits.scoring import Recommend, by_scores, matrix

WORKER = ROOT / "study" / "sasrec" / "worker.py"
PYTHON = Path(os.environ.get("SASREC_PYTHON", ROOT / ".venv-sasrec" / "bin" / "python"))
ENVIRONMENT = Environment(PYTHON)
MAX_EPOCHS = 200
PATIENCE = 1_000  # optimizer steps without a better result that end the choice, at least 3 epochs
BATCH = 128
Arrays = Mapping[str, NDArray[np.generic]]


def choose(inner: Data) -> list[dict[str, Value]]:
    """Return the NDCG on the held-out events after each epoch; stop after `PATIENCE` steps without a better one."""
    patience = max(3, math.ceil(PATIENCE * BATCH / len(np.unique(inner.train.user_num))))
    found = run(inputs(inner.train, inner.test, {"epochs": MAX_EPOCHS, "patience": patience}))
    return [{"epochs": number, CRITERION: float(value)} for number, value in enumerate(found["validation"], 1)]


def fit(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
    """Fit RecTools' SASRec with sampled softmax for the chosen number of epochs."""
    found = run(inputs(train, None, {**params, "seed": seed}))
    user, item = found["user"], found["item"]
    return by_scores(matrix(train), lambda users: np.nan_to_num(user[users] @ item.T, nan=-np.inf))


def inputs(train: Interactions, held_out: Interactions | None, settings: Params) -> dict[str, NDArray[np.generic]]:
    """Return the input arrays of the worker: events sorted by time, equal times in input order."""
    order = np.argsort(train.time, kind="stable")
    nothing = np.zeros(0, np.int64)
    return {
        "user_num": train.user_num[order],
        "item_num": train.item_num[order],
        "num_users": np.array(len(train.users)),
        "num_items": np.array(len(train.items)),
        "held_out_user": nothing if held_out is None else held_out.user_num,
        "held_out_item": nothing if held_out is None else held_out.item_num,
        "settings": np.array(json.dumps(dict(settings), sort_keys=True)),
    }


def run(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Run the worker on one thread; return the arrays that it writes.

    Raises:
        subprocess.CalledProcessError: the worker failed.
    """
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "input.npz", Path(folder) / "output.npz"
        np.savez(source, **arrays)  # type: ignore[arg-type]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([PYTHON, WORKER, source, target], check=True, env=environment)  # noqa: S603 - both are ours
        with np.load(target) as found:
            return dict(found)
