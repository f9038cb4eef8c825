"""Serve a trained model over HTTP as a SageMaker endpoint does: GET /ping and POST /invocations.

SAGEMAKER_BASE_DIR=my-job python serve.py      # reads my-job/model, listens on port 8080
"""

import sys

from recommender.container import Container
from recommender.errors import RecommenderError
from recommender.hosting import ServerSettings
from recommender.pipeline import Recommender
from recommender.service.server import run


def main() -> int:
    """Load the model and serve it. Returns the exit code when there is nothing to serve."""
    try:
        settings = ServerSettings.from_environment()
        run(Recommender.load(Container.from_environment().model_dir), settings)
    except RecommenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
