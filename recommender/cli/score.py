r"""Score all users of a model offline, into one Parquet or CSV file.

\b
    recommender score --base-dir my-job --output scores.parquet
    recommender score --model my-job/model --output scores.csv --top_k 10
    recommender score --model my-job/model --output cheap.csv --rules '{"filter": {"price": {"max": 50}}}'

The rows hold the items and scores that the server returns for each user.
"""

from pathlib import Path

import click

from recommender.cli.options import base_dir_option, container_from, obey_deny_list, run, sha256_option
from recommender.common.cores import available_cores
from recommender.common.messages import json_object
from recommender.common.output import say
from recommender.errors import ConfigError, RequestError
from recommender.pipeline.applied_rules import AppliedRules
from recommender.pipeline.batch import score_all
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import model_sha256


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.option("--model", type=click.Path(path_type=Path), help="Model folder.  [default: that of the job]")
@base_dir_option
@sha256_option
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write: .parquet or .csv."
)
@click.option("--top_k", "--top-k", type=click.IntRange(1, LIMITS.max_top_k), default=LIMITS.top_k, show_default=True,
              help="Recommendations per user.")  # fmt: skip
@click.option("--num_candidates", "--num-candidates", type=click.IntRange(1, LIMITS.max_num_candidates),
              default=LIMITS.num_candidates, show_default=True,
              help="Candidates of each source.")  # fmt: skip
@click.option("--rules", "given", metavar="JSON", default="{}", help="Rules for all users, as in a request.")
@click.option("--workers", type=click.IntRange(1), help="Number of processes.  [default: one per core]")
def command(
    model: Path | None,
    base_dir: str | None,
    sha256: str | None,
    output: Path,
    top_k: int,
    num_candidates: int,
    given: str,
    workers: int | None,
) -> None:
    """Check the options, then score."""
    if output.suffix not in (".parquet", ".csv") or "://" in str(output) or str(output).startswith("s3:"):
        raise ConfigError(f"--output: expected a local file name that ends in .parquet or .csv, got {output}")
    folder = model or container_from({"base_dir": base_dir}).model_dir
    recommender = Recommender.load(folder, model_sha256(sha256))
    obey_deny_list(recommender)
    rules = rules_of(given, recommender)
    output.parent.mkdir(parents=True, exist_ok=True)
    users = score_all(recommender, output, top_k, max(top_k, num_candidates), workers or available_cores(), rules)
    say(f"{output}: recommendations for {users:,} users")


def rules_of(given: str, recommender: Recommender) -> AppliedRules:
    """Return the rules that are given as JSON.

    Raises:
        ConfigError: they are no JSON object, or the model can't follow them.
    """
    values = json_object(given, "--rules")
    try:
        return recommender.rules(values)
    except RequestError as error:
        raise ConfigError(f"--rules: {error}") from None


def main(arguments: list[str] | None = None, program: str = "recommender score") -> int:
    """Score; return the exit code."""
    return run(command, arguments, program)
