"""Command lines: a configuration as options, and how a command ends."""

import sys
from typing import get_args

import click

from recommender.config import Config
from recommender.errors import RecommenderError


def options_of(config: type[Config]) -> list[click.Parameter]:
    """An option for each field, with "_" or "-" in its name; the values are converted by the configuration."""
    return [
        click.Option(
            list(dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])),
            metavar="|".join(arg for arg in get_args(field.annotation) if isinstance(arg, str)) or "VALUE",
            help=f"{field.description} [default: {field.default}]",
        )
        for name, field in config.model_fields.items()
    ]


def run(command: click.Command, arguments: list[str] | None, name: str, stopped: str = "") -> int:
    """Run a command of the package.

    Args:
        command: raises what is wrong.
        arguments: by default those of the process.
        name: of the command, for its help.
        stopped: what to say where Ctrl-C has stopped it.

    Returns:
        The exit code: 0, or 1 behind one line on stderr, or 130 for Ctrl-C.
    """
    try:
        return command.main(arguments, prog_name=f"python -m {name}", standalone_mode=False) or 0
    except click.UsageError as error:
        problem = f"command line: {error.format_message()} See --help"
    except RecommenderError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (KeyboardInterrupt, click.Abort):
        if stopped:
            print(stopped, file=sys.stderr)
        return 130
    print(f"error: {problem}", file=sys.stderr)
    return 1
