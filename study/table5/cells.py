"""Fit each cell of table 5, choose its number of iterations in two ways, and cache the result."""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from recommender.common.output import say
from recommender.data.interactions import Interactions
from recommender.data.splits import split_leave_one_out
from recommender.models.patience import Patience
from study.cache import Cache, code_digest
from study.data import DATA, Data
from study.table5 import contestants
from study.table5.plan import Cell
from study.table5.steps import Contestant, Step, Values

VALIDATION, TEST, DEFAULTS = "validation", "test", "defaults"  # ways to choose the number of iterations
PACKAGES = ("torch", "numpy", "scikit-surprise")


@dataclass(frozen=True)
class Chosen:
    """A fit with a chosen number of iterations.

    Attributes:
        iterations: the number.
        predicted: (n,) predictions of the test ratings.
        plain: (n,) the same with embeddings set to zero; see `Step`.
        seconds: processor time for choosing and fitting. If every step is a separate fit, it includes all earlier ones.
    """

    iterations: int
    predicted: Values
    plain: Values
    seconds: float


def run_cell(data: Data, cell: Cell) -> dict[str, Chosen]:
    """Fit a cell; return the fit for each way to choose the number of iterations.

    - `validation`: hold out each user's last train rating, and take the iteration with the smallest error there. Then
      fit all train ratings for as many iterations.
    - `test`: take the iteration with the smallest error on test itself, as the paper does; stop when patience ends.
    - `defaults`: take the library's own default.
    """
    contestant = contestants.create(cell.model, cell.solver, cell.embedding_dim, cell.seed)
    began = time.process_time()
    number = best_number(contestant, data)
    choosing = time.process_time() - began
    result: dict[str, Chosen] = {}
    least = Patience(contestant.most, contestant.patience)
    for place, (step, seconds) in enumerate(timed(contestant.steps(data.train, data.test)), 1):
        if step.number == contestant.default:
            result[DEFAULTS] = chosen(step, seconds)
        if place == number:
            result[VALIDATION] = chosen(step, choosing + seconds)
        if not least.ended:
            if least.take(_rmse(step, data.test)):
                best = step
            result[TEST] = chosen(best, seconds)
        if least.ended and place >= number:
            break
    return result


def best_number(contestant: Contestant, data: Data) -> int:
    """Return the step, from 1, with the smallest error on the held-out train ratings."""
    split = split_leave_one_out(data.train)
    least = Patience(contestant.most, contestant.patience)
    for step in contestant.steps(split.train, split.test):
        least.take(_rmse(step, split.test))
        if least.ended:
            break
    return max(1, least.best)


def timed(steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """Yield each step with the processor seconds so far; unlike wall time, they exclude other programs."""
    began = time.process_time()
    for step in steps:
        yield step, time.process_time() - began


def chosen(step: Step, seconds: float) -> Chosen:
    """Return a step as a chosen fit."""
    return Chosen(step.number, step.predicted, step.plain, seconds)


def fit_all(name: str, cells: list[Cell], cache: Cache) -> dict[Cell, dict[str, Chosen]]:
    """Return every cell from the cache, or fit it in one process per core; cache each result at once."""
    keys = {cell: key_of(DATA[name]().ratings_digest, cell) for cell in cells}
    missing = [cell for cell in cells if cache.get(keys[cell]) is None]
    say(f"table 5, {name}: {len(cells) - len(missing)} of {len(cells)} cells are in the cache")
    began = time.perf_counter()
    for done, (cell, result) in enumerate(fitted(name, missing), 1):
        cache.put(keys[cell], {way: _as_json(chosen) for way, chosen in result.items()})
        minutes = (time.perf_counter() - began) / 60
        say(
            f"{done} of {len(missing)} cells in {minutes:.1f} min: {cell.model}, {cell.solver}, "
            f"{cell.embedding_dim}, seed {cell.seed}"
        )
    return {cell: _from_json(cache.get(key)) for cell, key in keys.items()}


def fitted(name: str, cells: list[Cell]) -> Iterator[tuple[Cell, dict[str, Chosen]]]:
    """Fit cells in parallel, each on one thread; yield each result when it is ready."""
    if not cells:
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running: dict[Future[dict[str, Chosen]], Cell] = {pool.submit(fit_alone, name, cell): cell for cell in cells}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def fit_alone(name: str, cell: Cell) -> dict[str, Chosen]:
    """Fit a cell on one thread, in a process of the pool."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return run_cell(data_of(name), cell)


@cache
def data_of(name: str) -> Data:
    """Return a data set, which each process reads once."""
    return DATA[name]()


def key_of(digest: str, cell: Cell) -> dict[str, object]:
    """Return the cache key of a cell: everything that its result depends on."""
    modules = contestants.code_of(cell.model)
    code = code_digest(Path(str(module.__file__)) for module in modules)
    return {"data": digest, **asdict(cell), "code": code, **{name: version(name) for name in PACKAGES}}


def _rmse(step: Step, pairs: Interactions) -> float:
    return float(np.sqrt(np.mean((step.predicted - pairs.ratings) ** 2)))


def _as_json(chosen: Chosen) -> dict[str, object]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(chosen).items()}


def _from_json(kept: Mapping[str, Any] | None) -> dict[str, Chosen]:
    return {
        way: Chosen(**{**values, "predicted": np.array(values["predicted"]), "plain": np.array(values["plain"])})
        for way, values in (kept or {}).items()
    }
