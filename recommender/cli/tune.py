r"""Search for the hyper-parameters with the best validation metric, on one machine.

\b
    recommender tune --base-dir my-job --trials 50            # my-job/tuning/hyperparameters.json
    recommender tune --base-dir my-job --embedding_dim 50     # search the others, with this one fixed
    recommender tune --base-dir my-job --objective rmse       # search for the best predicted ratings

With the objective ndcg each trial makes the choices of a training: it takes as long as train.py. The ranges are those
of SageMaker's automatic tuning. The same command resumes an earlier search: after N trials, --trials M runs M - N
more. The search never reads the test channel.
"""

import click

from recommender.cli.options import container_from, location_options, options_of, run
from recommender.common.output import say
from recommender.hyperparameters import TrainConfig
from recommender.training.objectives import OBJECTIVES
from recommender.training.search import search, tuning_dir, write

TRIALS = 30
MAX_TRIALS = 100_000


def command() -> click.Command:
    """Return the command."""
    trials = click.Option(
        ["--trials"], type=click.IntRange(1, MAX_TRIALS), default=TRIALS, show_default=True,
        help="Total number of trials, including earlier ones.",
    )  # fmt: skip

    objective = click.Option(
        ["--objective"], type=click.Choice(list(OBJECTIVES)),
        help="ndcg: greatest NDCG of the ranking on held-out events; rmse: least validation error of predicted "
        "ratings.  [default: ndcg; rmse with the pipeline paper]",
    )  # fmt: skip

    def tune(trials: int, objective: str | None, **options: object) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        container = container_from(given)
        fixed = TrainConfig.from_layers([*container.hyperparameters(), ("command line", given)])
        found = search(fixed, container, trials, objective)
        path = tuning_dir(container) / "hyperparameters.json"
        write(path, {**fixed.model_dump(include=fixed.model_fields_set), **found})
        say(f"{path}: the hyper-parameters of a job, as input/config/hyperparameters.json")

    params = [*location_options(), trials, objective, *options_of(TrainConfig)]
    return click.Command("tune", callback=tune, params=params, help=str(__doc__).replace(r"\b", "\b"))


def main(arguments: list[str] | None = None, program: str = "recommender tune") -> int:
    """Search; return the exit code."""
    return run(command(), arguments, program, "stopped: the same command resumes the search")
