"""A training job: channels -> model folder and metrics."""

import json
from dataclasses import replace
from typing import cast

from recommender.artifacts import model_folder
from recommender.candidates.popularity import Popularity
from recommender.common.files import write_text
from recommender.common.output import say
from recommender.common.stopwatch import Stopwatch
from recommender.components.fit_context import FitContext, Metrics
from recommender.evaluation.metric_names import FINAL, NUM_TARGETS, validation_name
from recommender.hyperparameters import TrainConfig
from recommender.models.distributed import Hosts
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import Container
from recommender.sagemaker.metrics import metric_lines
from recommender.training.fit_model import fit_model, titles_of
from recommender.training.inputs import held_out_events, item_attributes, item_titles, training_data
from recommender.training.measure import measure
from recommender.training.training_run import TrainingRun


def run(config: TrainConfig, container: Container) -> TrainingRun | None:
    """Read the channels, fit, write the model folder, and evaluate once on the test channel if it exists.

    Returns:
        The results for the report; None on all hosts but the first, which writes.

    Raises:
        RecommenderError: a channel can't be read, the fit failed, or a file can't be written.
    """
    container.failure_file.unlink(missing_ok=True)
    with model_folder.replacing(container.model_dir):
        finished = _train(config, container)
    if finished is not None:
        say(f"the model is in {container.model_dir}")
    return finished


def _train(config: TrainConfig, container: Container) -> TrainingRun | None:
    """Fit, stage and evaluate a model. Return the results."""
    watch = Stopwatch()
    log_unused(config, container)
    titled = item_titles(config, container)
    data, validation = training_data(config, container, titled)
    held_out = held_out_events(config, container, data)
    titles = titles_of(data, titled)
    attributes = item_attributes(config, data.items, titled)
    watch.lap("read")

    cluster = container.cluster()
    hosts = Hosts(cluster)
    if hosts.size > 1:
        say(f"{cluster.current_host}: waiting for all hosts: {', '.join(cluster.hosts)}")
    context = FitContext(data, validation, titles, hosts, container.checkpoint_dir, watch)
    with hosts.connected():
        model = replace(fit_model(config, context), attributes=attributes)
    watch.lap("fit")
    if hosts.rank > 0:
        say(f"done; {cluster.hosts[0]} writes the model")
        return None
    staged = model_folder.stage(model, container.model_dir)
    fitted = model.config
    del model  # free the memory before the model is loaded again
    watch.lap("save")

    recommender = Recommender.load(staged)
    watch.lap("load")
    rows = measure(recommender, held_out, data)
    metrics = context.metrics | ({} if rows is None else rows.metrics())
    if rows is not None:
        watch.lap("evaluate")
    metrics |= {"num_ratings": len(data), "num_users": len(data.users), "num_items": len(data.items)}
    metrics |= {"model_bytes": model_folder.num_bytes(staged), **watch.seconds}
    container.report_file.unlink(missing_ok=True)  # it describes an earlier model
    write_metrics(metrics, container)
    if rows is not None and rows.warning is not None:
        say(rows.warning)
    if quality := quality_line(metrics):
        say(quality)
    return TrainingRun(container, fitted, recommender, data, validation, rows, metrics)


def write_metrics(metrics: Metrics, container: Container) -> None:
    """Print the metrics for SageMaker, and write them to metrics.json."""
    for line in metric_lines({name: value for name, value in metrics.items() if not isinstance(value, list)}):
        say(line)
    container.metrics_file.parent.mkdir(parents=True, exist_ok=True)
    write_text(container.metrics_file, json.dumps(metrics, indent=2) + "\n")


def quality_line(metrics: Metrics) -> str:
    """Return a line that compares the model with popularity, on the test channel or else on held-out events.

    Returns:
        An empty text if nothing was measured.
    """
    hits, ndcg = f"{FINAL}_hit_rate_at_10", validation_name("final")
    if hits in metrics:
        low, high = cast("list[float]", metrics[f"{hits}_interval"])
        return f"hit rate at 10 on the test channel: {metrics[hits]:.3f} ({low:.3f} to {high:.3f})" + _beside(
            metrics.get(f"{Popularity.name}_hit_rate_at_10")
        )
    if ndcg in metrics:
        found = f"NDCG at 100 on {metrics[NUM_TARGETS]:,} held-out events: {metrics[ndcg]:.3f}"
        popular = metrics.get(validation_name(Popularity.name))
        return f"{found}{_beside(popular)}. For hit rates, make a channel test: recommender split"
    return ""


def _beside(popular: object) -> str:
    return f"; {Popularity.name}: {popular:.3f}" if isinstance(popular, float) else ""


def log_unused(config: TrainConfig, container: Container) -> None:
    """Log the folder of the job, and its hyper-parameters and channels that have no effect."""
    say(f"job folder: {container.base_dir}")
    for name in config.without_effect:
        say(f"{name} has no effect with the other hyper-parameters of this job")
    for name in container.unused_channels():
        say(f"channel {name!r} is not used")
