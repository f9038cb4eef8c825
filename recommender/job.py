"""A training job: channels in, model folder and metrics out."""

import json
import time
import traceback

import numpy as np
import pandas as pd

from recommender import artifacts, storage
from recommender.checkpoints import Checkpoints, Phase, job_of
from recommender.config import TrainConfig
from recommender.container import Container
from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.data.strings import StringTable
from recommender.evaluation.evaluate import Metrics, Rows, evaluate
from recommender.evaluation.metrics import metric_lines
from recommender.inputs import held_out_ratings, item_titles, training_data
from recommender.models.factors import Factors
from recommender.models.hosts import Hosts
from recommender.models.iteration import Iteration
from recommender.models.training import Choice, choose_iterations, fit
from recommender.pipeline import Recommender
from recommender.progress import progress, say
from recommender.report.finished import Finished
from recommender.rerank.titles import fit_titles

FEW = 100  # validation ratings that decide little


def run(config: TrainConfig, container: Container) -> None:
    """Read, choose the number of iterations, fit, write the model folder, evaluate once on `test` if it is there.

    Raises:
        RecommenderError: a channel, the fit or the writing failed.
    """
    artifacts.clear(container.model_dir)  # whatever happens, no older model passes for this job's
    container.failure_file.unlink(missing_ok=True)
    container.report_file.unlink(missing_ok=True)
    watch = Stopwatch()
    announce(config, container)
    data, validation = training_data(config, container)
    held_out, titles = held_out_ratings(config, container), item_titles(container)
    watch.lap("read")

    cluster = container.cluster()
    hosts = Hosts(cluster)
    if hosts.size > 1:
        say(f"{cluster.current_host}: waiting for all of {', '.join(cluster.hosts)}")
    with hosts.connected():
        choice, factors = train(config, data, validation, container, hosts, watch)
    if hosts.rank > 0:
        say(f"done; the model is written by {cluster.hosts[0]}")
        return
    artifacts.save(build_model(config, data, factors, titles), container.model_dir)
    watch.lap("save")
    say(f"the model is in {container.model_dir}")

    recommender = Recommender.load(container.model_dir)
    watch.lap("load")
    rows = measure(recommender, held_out, watch)
    metrics = metrics_of(choice, rows)
    metrics |= {"num_ratings": len(data), "num_users": len(data.users), "num_items": len(data.items)}
    metrics |= {"model_bytes": artifacts.num_bytes(container.model_dir), **watch.seconds}
    keep(metrics, container)
    if config.report:
        report(Finished(container, config, recommender, data, validation, rows, metrics))


def measure(recommender: Recommender, held_out: pd.DataFrame | None, watch: "Stopwatch") -> Rows | None:
    """Every row of the test channel, measured on the model folder as a server loads it; None without the channel."""
    if held_out is None:
        return None
    rows = evaluate(recommender, held_out, lambda users: progress(users, "evaluating users"))
    watch.lap("evaluate")
    return rows


def metrics_of(choice: Choice, rows: Rows | None) -> Metrics:
    """The metrics of validation and, where there is the channel, of test."""
    metrics: Metrics = {"num_iterations": choice.num_iterations, "num_validation_ratings": choice.num_validation}
    if choice.rmse:
        metrics |= {"validation_rmse": min(choice.rmse), "validation_rmse_by_iteration": choice.rmse}
    return metrics if rows is None else metrics | rows.metrics()


def keep(metrics: Metrics, container: Container) -> None:
    """Print the metrics for SageMaker to read and keep them as metrics.json."""
    for line in metric_lines({name: value for name, value in metrics.items() if not isinstance(value, list)}):
        say(line)
    container.metrics_file.parent.mkdir(parents=True, exist_ok=True)
    storage.write_text(container.metrics_file, json.dumps(metrics, indent=2) + "\n")


def report(finished: Finished) -> None:
    """Write the page. Where that fails the job has done its work all the same: the log says what went wrong."""
    try:
        from recommender.report.write import write  # matplotlib: a second

        write(finished, every_size=False)
    except Exception:  # noqa: BLE001 - whatever it is, the model and its metrics are whole
        say(traceback.format_exc())
        say("the report can't be written, see above; model and metrics are whole")


def announce(config: TrainConfig, container: Container) -> None:
    """Say what was given to the job and is not used."""
    for name in config.without_effect:
        say(f"{name} has no effect with model {config.model} and solver {config.solver}")
    for name in container.unused_channels():
        say(f"channel {name!r} is not used")


def train(
    config: TrainConfig,
    data: Interactions,
    validation: Interactions | None,
    container: Container,
    hosts: Hosts,
    watch: "Stopwatch",
) -> tuple[Choice, Factors]:
    """Choose the number of iterations and fit; where an earlier process of the same job stopped, go on from there."""
    job = job_of(config, data, validation)
    hosts.agree(job)
    checkpoints = Checkpoints(container.checkpoint_dir, job, hosts)
    newest = checkpoints.newest()
    starts = {newest.phase: newest.start} if newest else {}

    def after_choosing(iteration: Iteration, errors: list[float]) -> None:
        say(" ".join(metric_lines({"iteration": iteration.number, "iteration_validation_rmse": errors[-1]})))
        checkpoints.save(Phase.CHOOSE, iteration, errors)

    errors, start = newest.errors if newest else (), starts.get(Phase.CHOOSE)
    choice = choose_iterations(data, config, validation, errors=errors, start=start, hosts=hosts, after=after_choosing)
    if 0 < choice.num_validation < FEW:
        say(f"only {choice.num_validation} ratings to validate on: a channel validation of its own would be surer")
    say(f"{choice.num_iterations} iterations chosen, {choice.num_validation:,} validation ratings; fitting all ratings")
    watch.lap("choose")

    def after_fitting(iteration: Iteration) -> None:
        checkpoints.save(Phase.FIT, iteration, choice.rmse)

    start = starts.get(Phase.FIT)
    factors = fit(data, config, choice.num_iterations, start=start, hosts=hosts, after=after_fitting)
    watch.lap("fit")
    return choice, factors


def build_model(
    config: TrainConfig, data: Interactions, factors: Factors, titles: pd.DataFrame | None
) -> artifacts.Model:
    """Everything the server needs. Of an item's titles the first that is not empty counts."""
    known: dict[str, str] = {}
    if titles is not None:
        named = titles[titles["title"].str.strip() != ""].drop_duplicates("item_id")
        known = dict(zip(named["item_id"], named["title"], strict=True))
    item_titles = [known.get(item_id, "") for item_id in data.items]
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
