"""Command line: python -m recommender.data.synthetic --output raw --users 2000 --items 1500 --ratings 30000."""

from pathlib import Path

import click

from recommender.data.synthetic.generate import generate
from recommender.data.synthetic.write import write_raw


@click.command()
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write.")
@click.option("--users", type=click.IntRange(1), default=2_000, show_default=True, help="Users.")
@click.option("--items", type=click.IntRange(1), default=1_500, show_default=True, help="Items.")
@click.option("--ratings", type=click.IntRange(1), default=30_000, show_default=True, help="Reviews.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same data.")
def main(output: Path, users: int, items: int, ratings: int, seed: int) -> None:
    """Write a synthetic fashion data set in the schema of Amazon Reviews 2023.

    OUTPUT gets Synthetic_Fashion.jsonl.gz and meta_Synthetic_Fashion.jsonl.gz, out of which
    python -m recommender.prepare makes the channels of a training job.
    """
    if ratings < users:
        raise click.BadParameter(f"expected at least one a user, {users}, got {ratings}", param_hint="--ratings")
    try:
        write_raw(generate(users, items, ratings, seed), output)
    except OSError as error:
        raise click.ClickException(f"{error.filename or output}: can't be written: {error.strerror}") from None


if __name__ == "__main__":
    main()
