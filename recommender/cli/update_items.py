r"""Add new items to a model, and change titles, prices or stock, without training.

\b
    recommender update-items new_items.csv --model my-job/model
    recommender update-items new_items.csv --model my-job/model --output my-job/model-2

The file has the columns of the items channel. New items are recommended by their titles, most of all with `explore`. A
server keeps the model that it has loaded: restart it.
"""

import shutil
from pathlib import Path

import click

from recommender.artifacts import model_folder
from recommender.artifacts.new_items import summary, with_items
from recommender.cli.options import base_dir_option, container_from, run, sha256_option
from recommender.common.files import atomic
from recommender.common.output import say
from recommender.data.channels import read_update
from recommender.data.sources import open_channel
from recommender.errors import DataError
from recommender.rules.deny_list import FILE
from recommender.sagemaker.server_environment import model_sha256


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.argument("items", metavar="ITEMS")
@click.option("--model", type=click.Path(path_type=Path), help="Model folder.  [default: that of the job]")
@base_dir_option
@sha256_option
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the new model.  [default: replace the old one]"
)
@click.option("--clear-empty", is_flag=True, help="Let an empty value remove the item's own; else it changes nothing.")
def command(
    items: str, model: Path | None, base_dir: str | None, sha256: str | None, output: Path | None, clear_empty: bool
) -> None:
    """Read the items, and write the model with them."""
    folder = model or container_from({"base_dir": base_dir}).model_dir
    fitted = model_folder.load(folder, model_sha256(sha256))
    with open_channel(items) as files:
        frame = read_update(files, fitted.config, fitted.attributes.arrow_types)
    try:
        updated = with_items(fitted, frame, clear_empty=clear_empty)
    except ValueError as error:
        raise DataError(f"{items}: {error}") from None
    target, denied = output or folder, folder / FILE
    with model_folder.replacing(target):
        model_folder.stage(updated, target)
        if denied.is_file() and not (target / FILE).exists():  # before the model appears
            with atomic(target / FILE) as unfinished:
                shutil.copyfile(denied, unfinished)
    say(f"{target}: {summary(fitted, updated, frame)}")


def main(arguments: list[str] | None = None, program: str = "recommender update-items") -> int:
    """Update; return the exit code."""
    return run(command, arguments, program)
