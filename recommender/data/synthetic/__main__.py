"""Command line: python -m recommender.data.synthetic --output my-job --users 2000 --items 1500 --ratings 30000."""

from pathlib import Path

import click

from recommender.data.synthetic.generate import generate
from recommender.data.synthetic.write import foreign_files, write_channels, write_raw


@click.command()
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write.")
@click.option("--users", type=click.IntRange(1), default=2_000, show_default=True, help="Users.")
@click.option("--items", type=click.IntRange(1), default=1_500, show_default=True, help="Items.")
@click.option("--ratings", type=click.IntRange(1), default=30_000, show_default=True, help="Reviews.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same data.")
def main(output: Path, users: int, items: int, ratings: int, seed: int) -> None:
    """Write a synthetic fashion data set.

    Reviews are thinned as in the paper: the channels keep verified ones of users with at least 5 items.
    OUTPUT/raw gets the reviews and the metadata as JSON lines, OUTPUT/input/data the channels train, test
    and items, so that OUTPUT is the SAGEMAKER_BASE_DIR of a training job.
    """
    if ratings < users:
        raise click.BadParameter(f"expected at least one a user, {users}, got {ratings}", param_hint="--ratings")
    channels = output / "input" / "data"
    if others := foreign_files(channels):
        raise click.BadParameter(
            f"{others[0]} is there already and would be mixed with the new data", param_hint="--output"
        )
    data = generate(users, items, ratings, seed)
    try:
        write_raw(data, output / "raw")
        write_channels(data, channels)
    except OSError as error:
        raise click.ClickException(f"{error.filename or output}: can't be written: {error.strerror}") from None


if __name__ == "__main__":
    main()
