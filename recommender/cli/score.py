r"""Score all users of a model offline, into one Parquet file.

\b
    recommender score --output scores.parquet      # of the model in /opt/ml/model or SAGEMAKER_BASE_DIR

The rows hold the items and scores that the server returns for each user.
"""

from pathlib import Path

import click

from recommender.cli.options import run, sha256_option
from recommender.common.cores import available_cores
from recommender.common.output import say
from recommender.errors import ConfigError
from recommender.pipeline.batch import score_all
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import Container
from recommender.sagemaker.server_environment import model_sha256


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.option("--model", type=click.Path(path_type=Path), help="Model folder.  [default: that of the job]")
@sha256_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Parquet file to write.")
@click.option("--top_k", "--top-k", type=click.IntRange(1, LIMITS.max_top_k), default=LIMITS.top_k, show_default=True,
              help="Recommendations per user.")  # fmt: skip
@click.option("--num_candidates", "--num-candidates", type=click.IntRange(1, LIMITS.max_num_candidates),
              default=LIMITS.num_candidates, show_default=True,
              help="Candidates of each source.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Number of processes.  [default: one per core]")
def command(
    model: Path | None, sha256: str | None, output: Path, top_k: int, num_candidates: int, workers: int | None
) -> None:
    """Check the options, then score."""
    if output.suffix != ".parquet" or "://" in str(output) or str(output).startswith("s3:"):
        raise ConfigError(f"--output: expected a local file name that ends in .parquet, got {output}")
    folder = model or Container.from_environment().model_dir
    recommender = Recommender.load(folder, model_sha256(sha256))
    output.parent.mkdir(parents=True, exist_ok=True)
    users = score_all(recommender, output, top_k, max(top_k, num_candidates), workers or available_cores())
    say(f"{output}: recommendations for {users:,} users")


def main(arguments: list[str] | None = None, program: str = "recommender score") -> int:
    """Score; return the exit code."""
    return run(command, arguments, program)
