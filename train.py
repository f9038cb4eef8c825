"""Train a recommender as a SageMaker training job does: channels in, model folder and metrics out.

    SAGEMAKER_BASE_DIR=my-job python train.py      # my-job/input/data/train/*.csv -> my-job/model

See README.md for the channels, the hyper-parameters and the metrics.
"""

import contextlib
import json
import sys
import time
import traceback

import numpy as np
import pandas as pd

from recommender import artifacts
from recommender.config import TrainConfig
from recommender.container import Container
from recommender.data.channels import read_ratings, read_titles
from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.data.strings import StringTable
from recommender.errors import RecommenderError
from recommender.evaluation.evaluate import Metrics, evaluate
from recommender.evaluation.metrics import metric_lines
from recommender.models.factors import Factors
from recommender.models.iteration import Iteration
from recommender.models.training import choose_iterations, fit
from recommender.pipeline import Recommender
from recommender.progress import progress, say
from recommender.rerank.titles import fit_titles


def main() -> int:
    """Train, and report a failure where SageMaker looks for it. Returns the exit code."""
    container = Container.from_environment()
    try:
        train(container)
    except Exception as error:  # noqa: BLE001 - the one place where any failure becomes the job's failure
        message = str(error) if isinstance(error, RecommenderError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, RecommenderError | OSError | MemoryError):
            traceback.print_exc()  # a bug of ours: the log needs it, the failure file does not
        fail(container, message)
        return 1
    return 0


def fail(container: Container, message: str) -> None:
    """Leave no half model, and the reason on stderr and where SageMaker looks for it."""
    try:
        container.write_failure(message)
    except OSError as error:
        message += f" ({container.failure_file}: can't be written: {error})"
    print(f"error: {message}", file=sys.stderr)
    with contextlib.suppress(OSError):  # what can't be cleared couldn't be written either
        artifacts.clear(container.model_dir)


def train(container: Container) -> None:
    """Read, choose the number of sweeps, fit, write the model folder, evaluate once on `test` if it is there."""
    artifacts.clear(container.model_dir)  # whatever happens, no older model passes for this job's
    container.failure_file.unlink(missing_ok=True)
    watch = Stopwatch()
    config = TrainConfig.from_hyperparameters(container.read_hyperparameters(), str(container.hyperparameters_file))
    for name in config.without_effect:
        say(f"{name} has no effect with model {config.model} and solver {config.solver}")
    with open_channel(container.required_channel("train")) as files:
        ratings = read_ratings(files, config.rating_min, config.rating_max)
    titles, test_ratings = None, None
    if (items := container.channel("items")).is_dir():
        with open_channel(items) as files:
            titles = read_titles(files)
    if (test := container.channel("test")).is_dir():
        with open_channel(test) as files:
            test_ratings = read_ratings(files, config.rating_min, config.rating_max)
    data = Interactions.from_frame(ratings).without_duplicates(config.duplicates)
    say(f"{len(data):,} ratings, {len(data.users):,} users, {len(data.items):,} items")
    watch.lap("read")

    choice = choose_iterations(data, config, after=report_iteration)
    watch.lap("choose")
    factors = fit(data, config, choice.num_iterations)
    watch.lap("fit")
    artifacts.save(build_model(config, data, factors, titles), container.model_dir)
    watch.lap("save")

    metrics: Metrics = {"num_iterations": choice.num_iterations, "num_validation_ratings": choice.num_validation}
    if choice.rmse:
        metrics["validation_rmse"] = min(choice.rmse)
    recommender = Recommender.load(container.model_dir)
    watch.lap("load")
    if test_ratings is not None:
        metrics |= evaluate(recommender, test_ratings, lambda users: progress(users, "evaluating users"))
        watch.lap("evaluate")
    sizes: Metrics = {"num_ratings": len(data), "num_users": len(data.users), "num_items": len(data.items)}
    metrics |= sizes | {"model_bytes": artifacts.num_bytes(container.model_dir)} | watch.seconds
    say(metric_lines({name: value for name, value in metrics.items() if not isinstance(value, list)}))
    container.metrics_file.parent.mkdir(parents=True, exist_ok=True)
    container.metrics_file.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def build_model(
    config: TrainConfig, data: Interactions, factors: Factors, titles: pd.DataFrame | None
) -> artifacts.Model:
    """Everything the server needs. Of an item's titles the first that is not empty counts."""
    known: dict[str, str] = {}
    if titles is not None:
        named = titles[titles["title"].str.strip() != ""].drop_duplicates("item_id")
        known = dict(zip(named["item_id"], named["title"], strict=True))
    item_titles = [known.get(data.items.id(number), "") for number in range(len(data.items))]
    say(f"{sum(map(bool, item_titles)):,} of {len(item_titles):,} items have a title")
    return artifacts.Model(
        config=config,
        users=data.users,
        items=data.items,
        factors=factors,
        histories=Histories.from_interactions(data),
        titles=StringTable.from_strings(item_titles),
        title_vectors=fit_titles(item_titles),
        item_count=np.bincount(data.item_num, minlength=len(data.items)).astype(np.int32),
    )


def report_iteration(iteration: Iteration, errors: list[float]) -> None:
    """One line for each iteration of the fit that chooses."""
    say(metric_lines({"iteration": iteration.number, "iteration_validation_rmse": errors[-1]}))


class Stopwatch:
    """Seconds between laps, as `seconds_<lap>`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.perf_counter()
        self.seconds[f"seconds_{name}"] = round(now - self._last, 3)
        self._last = now


if __name__ == "__main__":
    sys.exit(main())
