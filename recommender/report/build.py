"""A finished training -> the content of its report, in plain numbers."""

from dataclasses import dataclass

from recommender.report.activity import Activity, activity
from recommender.report.examples import Example, examples
from recommender.report.learning import Curve, Sizes, costs_little, curve, sizes
from recommender.report.order import Chosen, Weights, chosen, weights
from recommender.report.settings import Command, Setting, commands, report_command, settings
from recommender.report.stages import Stages, stages
from recommender.report.summary import Summary, summary
from recommender.training.training_run import TrainingRun


@dataclass(frozen=True)
class Report:
    """The content of the report; a sentence replaces a part that is missing.

    Attributes:
        finished: the training.
        summary: summary of the data.
        curve: validation error by iteration.
        sizes: validation error by embedding size.
        weights: weights of the ranking.
        chosen: the options that training chose.
        stages: accuracy of each order on the test items.
        activity: test error by train ratings.
        examples: some users.
        settings: the hyper-parameters.
        commands: the next steps.
    """

    finished: TrainingRun
    summary: Summary
    curve: Curve | str
    sizes: Sizes | str
    weights: Weights | str
    chosen: list[Chosen]
    stages: Stages | str
    activity: Activity | str
    examples: list[Example]
    settings: list[Setting]
    commands: list[Command]

    @property
    def sources(self) -> list[str]:
        """The candidate sources of the model, each with a short description."""
        parts = self.finished.recommender.model.sources
        return [str(parts[name]) for name in self.finished.config.source_names if name in parts]

    @property
    def called(self) -> str:
        """The word for an event of the training data."""
        return "event" if self.finished.data.rating is None else "rating"

    @property
    def seconds(self) -> dict[str, float]:
        """The duration of each stage of the training."""
        measured = {name: value for name, value in self.finished.metrics.items() if name.startswith("seconds_")}
        return {name.removeprefix("seconds_"): float(str(value)) for name, value in measured.items()}


def build(finished: TrainingRun, every_size: bool) -> Report:
    """Build the content of the report.

    Args:
        finished: the training.
        every_size: fit other embedding sizes even if that takes long.
    """
    options = chosen(finished)
    command = "" if every_size or costs_little(finished) else report_command(finished)
    return Report(
        finished=finished,
        summary=summary(finished),
        curve=curve(finished),
        sizes=sizes(finished, command),
        weights=weights(finished),
        chosen=options,
        stages=stages(finished),
        activity=activity(finished),
        examples=examples(finished),
        settings=settings(finished.config),
        commands=commands(finished, {name for one in options for name in one.options}),
    )
