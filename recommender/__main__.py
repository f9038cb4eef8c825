"""The console command `recommender`: each sub-command is one module of `recommender.cli`, imported when it runs."""

import sys
from importlib import import_module
from typing import Any

import click

from recommender import __version__
from recommender.common.extras import missing_package
from recommender.common.output import complain

COMMANDS = {
    "prepare": "Turn raw Amazon reviews into the channels of a training job.",
    "split": "Hold out events of your own data for a test.",
    "train": "Train a model as a SageMaker training job does.",
    "update-items": "Add new items to a model, and change titles, prices or stock, without training.",
    "serve": "Serve a model over HTTP as a SageMaker endpoint does.",
    "score": "Score all users of a model offline.",
    "tune": "Search for hyper-parameters on one machine.",
    "report": "Write the report of a finished training again.",
    "download": "Fetch the raw files of a category of Amazon Reviews 2023.",
    "synthesize": "Write a synthetic data set of raw reviews.",
}


def module_of(name: str) -> Any:  # noqa: ANN401 - a module with `main`
    """Return the module of a sub-command."""
    return import_module(f"recommender.cli.{name.replace('-', '_')}")


class Commands(click.Group):
    """The sub-commands, in the order of a user's workflow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the sub-commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command that passes all its arguments to the module of that name."""
        if name not in COMMANDS:
            return None

        @click.pass_context
        def run(context: click.Context) -> None:
            try:
                code = module_of(name).main(list(context.args), f"recommender {name}")
            except ModuleNotFoundError as error:
                missing = missing_package(error)
                if missing is None:
                    raise
                complain(f"error: {missing}")
                code = 1
            context.exit(code)

        settings = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}
        return click.Command(name, callback=run, help=COMMANDS[name], context_settings=settings, add_help_option=False)


@click.group(cls=Commands, help="A two-stage product recommender. Each command has --help.")
@click.version_option(__version__)
def main() -> None:
    """Run a sub-command."""


if __name__ == "__main__":
    sys.exit(main(prog_name="recommender"))
