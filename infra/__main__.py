r"""Launch the recommender on AWS, and remove it again.

\b
    python -m infra up CHANNELS_FOLDER      # create everything
    python -m infra ask USER_ID             # request recommendations
    python -m infra down                    # delete billed resources

The commands are listed in the order in which they build on each other. With --dry-run a command prints the exact API
calls and needs no account. Region and credentials come from the usual AWS variables and profile.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from infra import image, models, service, stacks, teardown, training
from infra.aws import Aws, connect, translate_errors
from infra.dry_run import DryRun
from infra.names import BASE_STACK, BASE_TEMPLATE, NAME
from recommender.cli.options import options_of, run
from recommender.common.messages import shown
from recommender.hyperparameters import TrainConfig
from recommender.training.objectives import OBJECTIVES

Command = Callable[..., None]

DATA = "default"  # name of the channels
TRAINING_BILLS = "AWS bills each instance by the second (less for spot capacity), and the bucket by its size"
SERVICE_BILLS = """AWS bills from now on, until `down`:
  a serverless endpoint by request; an endpoint of instances by the hour for each instance, also without requests
  the function and the API by request; alarms and dashboard by the month
AWS bills bucket, images and logs by their size, until `down --all`"""


class Ordered(click.Group):
    """Commands in the order of their definition; a refusal by AWS becomes one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which they build on each other."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command.

        Raises:
            LaunchError: replaces any botocore error.
        """
        with translate_errors():
            return super().invoke(ctx)


@click.group(cls=Ordered, help=str(__doc__).replace(r"\b", "\b"))
def cli() -> None:
    """Launch the recommender on AWS; the help text is the module's docstring."""


dry = click.option("--dry-run", is_flag=True, help="Print the exact API calls and send none.")


def data_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """Check that a name is valid as one folder of the bucket, and return it.

    Raises:
        click.UsageError: the name is not valid.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value):
        raise click.UsageError(f"--name: expected 1 to 63 letters, digits, - or _, got {shown(value)}.")
    return value


name_option = click.option(
    "--name", default=DATA, show_default=True, metavar="NAME", callback=data_name, help="Name of the channels."
)
job_option = click.option("--job", metavar="JOB", help="Training job.  [default: the newest completed one]")
image_option = click.option(
    "--image", "image_uri", metavar="URI", help="URI of the image.  [default: the one pushed last]"
)
wait_option = click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the job has ended.")
parameter_option = click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Parameter of infra/service.yaml; others keep their values.",
)
folder_argument = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


def hyperparameters(command: Command) -> Command:
    """Add the options for the machines of a training job."""
    options = [
        click.option("--instance-type", default="ml.m5.xlarge", show_default=True, help="Instance type of each host."),
        click.option("--instance-count", type=click.IntRange(1, 20), default=1, show_default=True,
                     help="Hosts that fit one model together."),
        click.option("--volume-gb", type=click.IntRange(1, 16_384), default=30, show_default=True,
                     help="Disk size of each host, in GB."),
        click.option("--spot/--no-spot", default=True, show_default=True,
                     help="Use cheaper capacity that AWS may reclaim; the job then resumes from its checkpoint."),
        click.option("--max-minutes", type=click.IntRange(1, 40_320), default=60, show_default=True,
                     help="Maximum training time, in minutes."),
        click.option("--max-wait-minutes", type=click.IntRange(1, 40_320), default=180, show_default=True,
                     help="Maximum time for training and waiting for spot capacity together, in minutes."),
        click.option("--input-mode", type=click.Choice(["File", "FastFile"]), default="File", show_default=True,
                     help="File copies the channels before training, FastFile streams them."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def add_hyperparameters(command: click.Command) -> None:
    """Add an option for every hyper-parameter to a command, as in train.py."""
    command.params.extend(options_of(TrainConfig))


def job_from_options(options: dict[str, Any], data: str, image_uri: str | None) -> training.Job:
    """Return the training job that the options describe."""
    machines = {field: options.pop(field) for field in training.Machines.__dataclass_fields__}
    given = {name: value for name, value in options.items() if value is not None}
    return training.Job(data, training.Machines(**machines), given, image_uri)


def account(dry_run: bool, *stacks_there: str, channels: str | None = None) -> Aws:
    """Return the account, or a dry run of an account with these stacks and with channels of that name."""
    return connect(DryRun(stacks_there, channels) if dry_run else None)


def assigned(parameters: tuple[str, ...]) -> dict[str, str]:
    """Return the values of NAME=VALUE arguments by name.

    Raises:
        click.UsageError: an argument has no "=".
    """
    for parameter in parameters:
        if "=" not in parameter:
            raise click.UsageError(f"--parameter: expected NAME=VALUE, got {parameter!r}.")
    return dict(parameter.split("=", 1) for parameter in parameters)


@cli.command()
@dry
def base(dry_run: bool) -> None:
    """(1) Create or change the first stack: bucket, image repository, roles."""
    make_base(account(dry_run))


def make_base(aws: Aws) -> None:
    """Create or change the first stack."""
    changed = stacks.apply(aws, BASE_STACK, BASE_TEMPLATE, {})
    print(f"stack {BASE_STACK}: {'done' if changed else 'nothing to change'}")


@cli.command()
@dry
def push(dry_run: bool) -> None:
    """(2) Build the image with Docker and push it."""
    aws = account(dry_run, BASE_STACK)
    image.push(aws, stacks.base(aws))


@cli.command()
@folder_argument
@name_option
@dry
def upload(folder: Path, name: str, dry_run: bool) -> None:
    """(3) Upload the channels of FOLDER (train/, validation/, test/, items/) to the bucket."""
    training.files(folder)
    aws = account(dry_run, BASE_STACK)
    training.upload(aws, stacks.base(aws), folder, name)


@cli.command()
@name_option
@image_option
@wait_option
@hyperparameters
@dry
def train(name: str, image_uri: str | None, wait: bool, dry_run: bool, **options: Any) -> None:  # noqa: ANN401
    """(4) Train on uploaded channels. Each hyper-parameter is an option."""
    job = job_from_options(options, name, image_uri)
    job.checked()
    print(TRAINING_BILLS)
    training.train(account(dry_run, BASE_STACK, channels=name), job, wait)


@cli.command()
@name_option
@image_option
@click.option("--max-jobs", type=click.IntRange(1, 750), default=20, show_default=True, help="Number of training jobs.")
@click.option(
    "--max-parallel", type=click.IntRange(1, 100), default=2, show_default=True, help="Training jobs at the same time."
)
@click.option(
    "--objective", type=click.Choice(list(OBJECTIVES)), help="Metric to improve.  [default: that of the pipeline]"
)
@wait_option
@hyperparameters
@dry
def tune(
    name: str,
    image_uri: str | None,
    max_jobs: int,
    max_parallel: int,
    objective: str | None,
    wait: bool,
    dry_run: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """(5) Search for the hyper-parameters that you do not set, with many training jobs."""
    job = job_from_options(options, name, image_uri)
    job.checked()
    print(TRAINING_BILLS)
    training.tune(account(dry_run, BASE_STACK, channels=name), job, max_jobs, max_parallel, wait, objective)


@cli.command()
@job_option
@click.option("--approve", is_flag=True, help="Approve the model now; otherwise a person approves it later.")
@dry
def register(job: str | None, approve: bool, dry_run: bool) -> None:
    """(6) Register the model of a training job, with its metrics."""
    models.register(account(dry_run, BASE_STACK), job, approve)


@cli.command()
@click.option(
    "--model",
    metavar="MODEL",
    help="Training job, or s3:// URI of a model.tar.gz.  [default: the newest job; a service keeps its model]",
)
@click.option("--image", "image_uri", metavar="URI", help="URI of the image.  [default: that of the training job]")
@parameter_option
@dry
def deploy(model: str | None, image_uri: str | None, parameters: tuple[str, ...], dry_run: bool) -> None:
    """(7) Create or change the service: endpoint, function, API, alarms.

    If a change of an endpoint of instances raises an alarm, it is rolled back.
    """
    given = assigned(parameters)
    service.deploy(account(dry_run, BASE_STACK), model, image_uri, given)
    print(SERVICE_BILLS)


@cli.command()
@click.argument("location")
@job_option
@click.option("--instance-type", default="ml.m5.large", show_default=True, help="Instance type.")
@click.option("--instance-count", type=click.IntRange(1, 20), default=1, show_default=True, help="Number of instances.")
@dry
def transform(location: str, job: str | None, instance_type: str, instance_count: int, dry_run: bool) -> None:
    """(8) Run a batch transform of the JSON lines in LOCATION, an s3:// URI in the bucket, without an endpoint."""
    models.transform(account(dry_run, BASE_STACK), location, job, instance_type, instance_count)


@cli.command()
@click.argument("user_id", required=False)
@click.option(
    "--request", "given", metavar="JSON", help="Request of any kind, instead of USER_ID: '{\"trending\": true}'."
)
@dry
def ask(user_id: str | None, given: str | None, dry_run: bool) -> None:
    """(9) Request recommendations for USER_ID from the service, or send another --request."""
    request = service.request_of(user_id, given)
    service.ask(account(dry_run, BASE_STACK, NAME), request)


@cli.command()
@folder_argument
@name_option
@parameter_option
@hyperparameters
@dry
def up(folder: Path, name: str, parameters: tuple[str, ...], dry_run: bool, **options: Any) -> None:  # noqa: ANN401
    """Run base, push, upload, train and deploy, one after the other.

    FOLDER has the channels: train/, validation/, test/, items/.
    """
    job, given = job_from_options(options, name, None), assigned(parameters)
    job.checked()
    training.files(folder)
    print(TRAINING_BILLS)
    aws = account(dry_run)
    make_base(aws)
    made = stacks.base(aws)
    pushed = image.push(aws, made)
    training.upload(aws, made, folder, name)
    trained = training.train(aws, training.Job(name, job.machines, job.hyperparameters, pushed), wait=True)
    service.deploy(aws, trained, None, given)
    print(SERVICE_BILLS)
    print("next: python -m infra ask USER_ID")


@cli.command()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Delete stored data, too: registered models, images, all objects, logs and the first stack.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@dry
def down(everything: bool, yes: bool, dry_run: bool) -> None:
    """Delete billed resources: the service and running jobs."""
    teardown.down(account(dry_run, BASE_STACK, NAME), everything, yes)


for with_hyperparameters in (train, tune, up):
    add_hyperparameters(with_hyperparameters)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
    return run(
        cli, arguments, "infra", stopped="stopped. What has begun on AWS continues and is billed; `down` ends it"
    )


if __name__ == "__main__":
    sys.exit(main())
