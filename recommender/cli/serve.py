r"""Serve a trained model over HTTP as a SageMaker endpoint does: GET /ping and POST /invocations.

\b
    python serve.py --base-dir my-job              # reads my-job/model, listens on port 8080
    python serve.py --model s3://bucket/models/model.tar.gz --port 8081

docs/serving.md describes requests and responses.
"""

from dataclasses import replace
from pathlib import Path

import click

from recommender.artifacts.model_archive import unpacked
from recommender.cli.options import base_dir_option, container_from, obey_deny_list, sha256_option
from recommender.common.output import accept_all_text, complain
from recommender.errors import RecommenderError
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import (
    BIND_TO_PORT,
    DEFAULT_PORT,
    MAX_PORT,
    ServerSettings,
    model_sha256,
)
from recommender.service.server import run


@click.command(help=str(__doc__).replace(r"\b", "\b"))
@click.option(
    "--model", metavar="LOCATION", help="Model folder, model.tar.gz or s3:// URI of one.  [default: model of the job]"
)
@base_dir_option
@click.option("--port", type=click.IntRange(1, MAX_PORT), metavar="PORT",
              help=f"Port to listen on.  [default: ${BIND_TO_PORT}, else {DEFAULT_PORT}]")  # fmt: skip
@sha256_option
def command(model: str | None, base_dir: str | None, port: int | None, sha256: str | None) -> None:
    """Load the model and serve it."""
    settings, sha256 = ServerSettings.from_environment(), model_sha256(sha256)
    settings = settings if port is None else replace(settings, port=port)
    if model is None:
        recommender = Recommender.load(container_from({"base_dir": base_dir}).model_dir, sha256)
    else:
        with unpacked(model) as unpacked_folder:
            recommender = Recommender.load(unpacked_folder, sha256)
        if recommender.deny_list is not None and not Path(model).is_dir():
            recommender.deny_list.keep()  # the unpacked folder is gone
    obey_deny_list(recommender)
    run(recommender, settings)


def main(arguments: list[str] | None = None, program: str = "serve.py") -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code: 1 if there is no model to serve."""
    accept_all_text()
    try:
        command.main(arguments, prog_name=program, standalone_mode=False)
    except click.UsageError as error:
        complain(f"error: command line: {error.format_message()} See {program} --help")
        return 1
    except RecommenderError as error:
        complain(f"error: {error}")
        return 1
    return 0
