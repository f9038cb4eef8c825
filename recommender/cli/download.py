r"""Fetch the two raw files of a category of Amazon Reviews 2023.

\b
    recommender download Amazon_Fashion --output raw

A partial download is kept: the same command resumes it.
"""

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

import click

from recommender.cli.options import run
from recommender.common.messages import printable
from recommender.common.output import say
from recommender.errors import DataError
from recommender.prepare.download import CATEGORIES, FILES, SOURCE, fetch, size_on_server


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.argument("category")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=Path("raw"), show_default=True,
              help="Folder to write.")  # fmt: skip
@click.option("--source", default=SOURCE, show_default=True, help="URL of the data set, or of a mirror.")
def command(category: str, output: Path, source: str) -> None:
    """Fetch both files."""
    if category not in CATEGORIES:
        near = get_close_matches(category, CATEGORIES, cutoff=0.4) or CATEGORIES
        raise DataError(f"{printable(category)}: expected a category of Amazon Reviews 2023, such as {', '.join(near)}")
    if urlsplit(source).scheme not in ("https", "http"):
        raise DataError(f"--source: expected a URL with https://, got {printable(source)}")
    output.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        url = f"{source.rstrip('/')}/{file.format(category)}"
        path = output / url.rpartition("/")[2]
        if path.exists() and path.stat().st_size == size_on_server(url):
            say(f"{path} already exists, with the size of the file on the server")
            continue
        fetch(url, path)
        say(f"{path}: {path.stat().st_size:,} bytes, complete")


def main(arguments: list[str] | None = None, program: str = "recommender download") -> int:
    """Download; return the exit code."""
    return run(command, arguments, program, "stopped: the same command resumes the download")
