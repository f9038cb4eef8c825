r"""Train a recommender as a SageMaker training job does: channels in, model folder and metrics out.

\b
    SAGEMAKER_BASE_DIR=my-job python train.py      # my-job/input/data/train/*.csv -> my-job/model
    python train.py --base-dir my-job --train ratings.parquet --embedding_dim 50

docs/data.md describes channels and metrics.
"""

import contextlib
import re
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from recommender.artifacts import model_archive
from recommender.cli.options import container_from, location_options, options_of
from recommender.common.extras import missing_package
from recommender.common.output import accept_all_text, complain, say
from recommender.errors import BusyFolderError, ConfigError, RecommenderError
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Container

if TYPE_CHECKING:
    from recommender.training.training_run import TrainingRun


class UsageError(ConfigError):
    """The command line is not valid."""


class Stopped(BaseException):
    """A signal stops the job."""


def main(arguments: list[str] | None = None, program: str = "train.py") -> int:
    """Train, and report a failure where SageMaker looks for it; return the exit code.

    It is 0 after success, 1 after a failure, and 128 + the number of the signal after SIGTERM or Ctrl-C. After a
    signal the last checkpoint is kept, and the same command resumes from it.
    """
    accept_all_text()
    container = container_of(sys.argv[1:] if arguments is None else arguments)  # for errors of the command line
    # Before the slow imports: SageMaker may stop a job at any time, and process 1 has no default handlers.
    with signals_raise() as received:
        try:
            parsed = parse(arguments, program)
            if parsed is None:
                return 0
            container, given = parsed
            output = model_output(given)
            layers = container.hyperparameters()
            config = TrainConfig.from_layers([*layers, ("command line", given)])
            for source, values in layers:
                if values:
                    say(f"{source}: sets {', '.join(sorted(values))}")
            from recommender.training import job  # torch, pandas and scikit-learn: two seconds

            finished = job.run(config, container)
            if finished is not None and config.report:
                write_report(finished)
            if output is not None:
                say(f"the model is in {model_archive.upload(container.model_dir, output)}")
        except (Stopped, Exception) as error:  # noqa: BLE001 - any failure becomes the failure of the job
            if received:  # also if a library converted the exception, as numpy does during a write
                return stopped(received[0])
            return failed(container, error)
    return 0


def container_of(arguments: Sequence[str]) -> Container:
    """Return the container of a command line that may be invalid: it needs a place for the failure file."""
    text = "\n".join(arguments)
    found = re.search(r"^--base-dir[=\n](.+)$", text, re.MULTILINE)
    return container_from({"base_dir": found[1]} if found else {})


def write_report(finished: "TrainingRun") -> None:
    """Write the report. If that fails, the job still succeeds; the log has the error."""
    try:
        from recommender.report.write import write  # matplotlib: a second

        write(finished, every_size=False)
    except ModuleNotFoundError as error:
        say(f"no report: {missing_package(error) or error}")
    except Exception:  # noqa: BLE001 - the model and its metrics are complete in any case
        say(traceback.format_exc())
        say("the report can't be written, see above; model and metrics are complete")


def stopped(number: int) -> int:
    """Print the signal; return the exit code."""
    say(f"stopped by {signal.Signals(number).name}: run the same command to resume from the last checkpoint")
    return 128 + number


def failed(container: Container, error: BaseException) -> int:
    """Report the failure; return the exit code."""
    if isinstance(error, ModuleNotFoundError):
        error = missing_package(error) or error
    if isinstance(error, RecommenderError):
        message = str(error)
    elif isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: can't be read or written: {error.strerror}"
    else:
        message = f"{type(error).__name__}: {error}"
    if not isinstance(error, RecommenderError | OSError | MemoryError):
        complain(traceback.format_exc())  # a bug: the traceback is for the log, not for the failure file
    if isinstance(error, BusyFolderError):
        complain(f"error: {message}")  # the failure file belongs to the other job
    else:
        fail(container, message)
    return 1


def fail(container: Container, message: str) -> None:
    """Write the reason to stderr and to SageMaker's failure file."""
    try:
        container.write_failure(message)
    except OSError as error:
        if str(container.failure_file) not in message:
            message += f" ({container.failure_file}: can't be written: {error.strerror})"
    complain(f"error: {message}")


@contextlib.contextmanager
def signals_raise() -> Iterator[list[int]]:
    """Raise an exception on Ctrl-C and on SIGTERM, which SageMaker sends 120 s before SIGKILL (contract T11).

    Yields:
        The numbers of the signals received so far.
    """
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command() -> click.Command:
    """Return the command line, which only collects the given options."""
    output = click.Option(
        ["--model-output"], metavar="LOCATION", help="s3://bucket/prefix to which model.tar.gz is also written."
    )
    options = [*location_options(), output, *options_of(TrainConfig)]
    return click.Command("train", params=options, callback=dict, help=str(__doc__).replace(r"\b", "\b"))


def parse(arguments: list[str] | None, program: str) -> tuple[Container, dict[str, object]] | None:
    """Return the container and the hyper-parameters of a command line; None if it only requests help.

    Raises:
        UsageError: an argument is unknown or has no value.
    """
    try:
        given = command().main(arguments, prog_name=program, standalone_mode=False)
    except click.UsageError as error:
        raise UsageError(f"command line: {error.format_message()} See {program} --help") from None
    if not isinstance(given, dict):
        return None
    given = {name: value for name, value in given.items() if value is not None}
    return container_from(given), given


def model_output(given: dict[str, object]) -> str | None:
    """Remove the location for model.tar.gz from `given` and return it; SageMaker itself needs none.

    Raises:
        ConfigError: the location is not in S3.
    """
    output = given.pop("model_output", None)
    if output is not None:
        model_archive.check_output(str(output))
    return None if output is None else str(output)
