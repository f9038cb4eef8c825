"""Options for a configuration and for the locations of a job; running a command and its exit code."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic.fields import FieldInfo

from recommender.common.extras import missing_package
from recommender.common.output import accept_all_text, complain, say
from recommender.config import Config, as_written, words_of
from recommender.errors import RecommenderError
from recommender.sagemaker.environment import BASE_DIR, CHANNELS, DEFAULT_BASE_DIR, Container
from recommender.sagemaker.server_environment import DENY_LIST, MODEL_SHA256

if TYPE_CHECKING:
    from recommender.pipeline.recommender import Recommender

LOCATION = "file, folder, pattern or s3:// URI"
BASE_DIR_HELP = f"Folder of the job.  [default: ${BASE_DIR}, else {DEFAULT_BASE_DIR}]"
base_dir_option = click.option("--base-dir", metavar="FOLDER", help=BASE_DIR_HELP)
sha256_option = click.option(
    "--model-sha256",
    "sha256",
    metavar="SHA256",
    help="Serve only the model with this SHA-256 of config.json, which lists the SHA-256 of all other files (sha256sum "
    f"model/config.json).  [default: ${MODEL_SHA256}; else any model]",
)


def options_of(config: type[Config]) -> list[click.Parameter]:
    """Return an option for each field and a hidden one for each alias; the configuration converts the values.

    The name of an option may be written with "_" or "-".
    """
    fields = [
        click.Option(spellings(name), metavar="|".join(words_of(field)) or "VALUE", help=description(field))
        for name, field in config.model_fields.items()
    ]
    return [*fields, *(click.Option(spellings(alias), hidden=True) for alias in config.aliases)]


def spellings(name: str) -> list[str]:
    """Return the parameter's name and the flags that set it."""
    return [name, *dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])]


def description(field: FieldInfo) -> str:
    """Return the help of an option: its description, and its default if it has one."""
    default = as_written(field.default)
    return f"{field.description} [default: {default}]" if default else str(field.description)


def location_options() -> list[click.Parameter]:
    """Return the options for the locations of a training job's tree and its channels."""
    help_text = "Channel {}: a folder, a file or s3://bucket/prefix.  [default: input/data/{} of the job]"
    channels = [click.Option([f"--{name}"], metavar="LOCATION", help=help_text.format(name, name)) for name in CHANNELS]
    return [click.Option(["--base-dir"], metavar="FOLDER", help=BASE_DIR_HELP), *channels]


def container_from(given: dict[str, object]) -> Container:
    """Remove the values of `location_options` from `given` and return the container that they describe."""
    container = Container.from_environment()
    if (base_dir := given.pop("base_dir", None)) is not None:
        container = container.at(Path(str(base_dir)))
    return replace(container, locations={name: str(given.pop(name)) for name in CHANNELS if name in given})


def obey_deny_list(recommender: "Recommender") -> None:
    """Take the deny list that the environment names, if any; print how many items are denied.

    Raises:
        ConfigError: it can't be read.
    """
    if path := os.environ.get(DENY_LIST):
        recommender.deny(path)
    denied = recommender.deny_list
    if denied is not None and not denied.is_empty:
        say(denied.summary)


def run(command: click.Command, arguments: list[str] | None, program: str, stopped: str = "") -> int:
    """Run a command of the package.

    Args:
        command: the command; it raises errors.
        arguments: by default those of the process.
        program: the name of the command in its help.
        stopped: the message after Ctrl-C.

    Returns:
        The exit code: 0, 1 after one line on stderr, or 130 after Ctrl-C.
    """
    accept_all_text()
    try:
        return command.main(arguments, prog_name=program, standalone_mode=False) or 0
    except click.UsageError as error:
        problem = f"command line: {error.format_message()} See --help"
    except RecommenderError as error:
        problem = str(error)
    except ModuleNotFoundError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        problem = str(missing)
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (KeyboardInterrupt, click.Abort):
        if stopped:
            complain(stopped)
        return 130
    complain(f"error: {problem}")
    return 1
