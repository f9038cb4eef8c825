r"""Write a synthetic fashion data set in the schema of Amazon Reviews 2023.

\b
    recommender synthesize --output raw --users 2000 --items 1500 --ratings 30000

The folder gets Synthetic_Fashion.jsonl.gz and meta_Synthetic_Fashion.jsonl.gz. `recommender prepare` turns them into
the channels of a training job.
"""

from pathlib import Path

import click

from recommender.cli.options import run
from recommender.synthetic.generate import generate
from recommender.synthetic.write import write_raw


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write.")
@click.option("--users", type=click.IntRange(1), default=2_000, show_default=True, help="Number of users.")
@click.option("--items", type=click.IntRange(1), default=1_500, show_default=True, help="Number of items.")
@click.option("--ratings", type=click.IntRange(1), default=30_000, show_default=True, help="Number of reviews.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same data.")
def command(output: Path, users: int, items: int, ratings: int, seed: int) -> None:
    """Write the two files."""
    if ratings < users:
        raise click.BadParameter(f"expected at least one per user ({users}), got {ratings}", param_hint="--ratings")
    write_raw(generate(users, items, ratings, seed), output)


def main(arguments: list[str] | None = None, program: str = "recommender synthesize") -> int:
    """Write the data set; return the exit code."""
    return run(command, arguments, program)
