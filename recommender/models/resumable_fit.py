"""The whole fit of a factorization: choose the number of iterations, then fit all ratings. It can resume."""

from pathlib import Path

from recommender.common.output import say
from recommender.common.stopwatch import Stopwatch
from recommender.data.interactions import Interactions
from recommender.models.checkpoints import Checkpoints, Phase, fingerprint
from recommender.models.distributed import ALONE, Hosts
from recommender.models.factors import Factors
from recommender.models.fit import Choice, choose_iterations, fit
from recommender.models.iteration import Iteration
from recommender.models.options import FactorizationOptions

FEW = 100  # with fewer validation ratings the choice is unreliable


def resumable_fit(
    data: Interactions,
    options: FactorizationOptions,
    validation: Interactions | None,
    *,
    hosts: Hosts = ALONE,
    checkpoint_dir: Path | None = None,
    watch: Stopwatch | None = None,
) -> tuple[Choice, Factors]:
    """Choose the number of iterations, then fit. A restarted job resumes where the previous one stopped.

    Args:
        data: all training ratings.
        options: the options of the factorization.
        validation: see `choose_iterations`.
        hosts: the hosts that fit together.
        checkpoint_dir: the folder for checkpoints; None: write none.
        watch: records the lap `choose`.

    Raises:
        FitError: the result is not finite, or another host was lost.
        DataError: the hosts have read different data.
    """
    job = fingerprint(options.model_dump(), data, validation)
    hosts.agree(job)
    checkpoints = Checkpoints(checkpoint_dir, job, hosts)
    newest = checkpoints.newest()
    starts = {newest.phase: newest.start} if newest else {}

    def after_choosing(iteration: Iteration, errors: list[float]) -> None:
        say(f"iteration={iteration.number}; iteration_validation_rmse={errors[-1]:.6g};")
        checkpoints.save(Phase.CHOOSE, iteration, errors)

    errors, start = newest.errors if newest else (), starts.get(Phase.CHOOSE)
    choice = choose_iterations(data, options, validation, errors=errors, start=start, hosts=hosts, after=after_choosing)
    if 0 < choice.num_validation < FEW:
        say(
            f"only {choice.num_validation} validation ratings: a validation channel would make the choice more reliable"
        )
    say(
        f"chose {choice.num_iterations} iterations on {choice.num_validation:,} validation ratings; fitting all ratings"
    )
    if watch is not None:
        watch.lap("choose")

    def after_fitting(iteration: Iteration) -> None:
        checkpoints.save(Phase.FIT, iteration, choice.rmse)

    start = starts.get(Phase.FIT)
    return choice, fit(data, options, choice.num_iterations, start=start, hosts=hosts, after=after_fitting)
