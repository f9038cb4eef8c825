"""Serve as a SageMaker endpoint does. SageMaker's contract names this file; see recommender/cli/serve.py."""

import sys

from recommender.cli.serve import main

if __name__ == "__main__":
    sys.exit(main())
