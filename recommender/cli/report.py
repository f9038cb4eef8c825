r"""Write the report of a finished training again, from its channels, its model folder and its metrics.json.

\b
    recommender report --base-dir my-job      # my-job/output/data/report.html

The report is that of train.py, always with the errors of other embedding sizes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import TypeAdapter, ValidationError

from recommender.cli.options import container_from, location_options, run
from recommender.common.messages import read_json_object
from recommender.errors import ArtifactError, DataError
from recommender.sagemaker.environment import Container
from recommender.training.training_run import TrainingRun

if TYPE_CHECKING:
    from recommender.components.fit_context import Metrics


def finished(container: Container) -> TrainingRun:
    """Load a finished training from disk and measure its model again.

    Raises:
        RecommenderError: the model or metrics.json is missing or damaged, or the channels are not those of the model.
    """
    from recommender.pipeline.recommender import Recommender
    from recommender.training.inputs import held_out_events, item_titles, training_data  # pandas: a second
    from recommender.training.measure import measure

    recommender = Recommender.load(container.model_dir)
    metrics = metrics_of(container.metrics_file)
    config, model = recommender.model.config, recommender.model
    data, validation = training_data(config, container, item_titles(config, container))
    own = (len(data), data.users.table.blob.tobytes(), data.items.table.blob.tobytes())
    if own != (len(model.histories.item_num), model.users.table.blob.tobytes(), model.items.table.blob.tobytes()):
        raise DataError(
            "channel train: expected the events that the model was trained on, got other events: train again"
        )
    held_out = held_out_events(config, container, data)
    rows = measure(recommender, held_out, data)
    return TrainingRun(container, config, recommender, data, validation, rows, metrics)


def metrics_of(path: Path) -> "Metrics":
    """Read the metrics that train.py measured.

    Raises:
        ArtifactError: the file is missing, or not what train.py writes.
    """
    from recommender.components.fit_context import Metrics

    try:
        metrics = TypeAdapter(Metrics).validate_python(read_json_object(path))
        metrics["num_ratings"]
    except (ValidationError, KeyError):
        raise ArtifactError(f"{path}: expected the metrics that train.py writes: train again") from None
    return metrics


def command() -> click.Command:
    """Return the command."""

    def report(**options: object) -> None:
        container = container_from({name: value for name, value in options.items() if value is not None})
        training = finished(container)
        from recommender.report.write import write  # matplotlib: a second

        write(training, every_size=True)

    return click.Command("report", callback=report, params=location_options(), help=str(__doc__).replace(r"\b", "\b"))


def main(arguments: list[str] | None = None, program: str = "recommender report") -> int:
    """Run the command; return the exit code."""
    return run(command(), arguments, program)
