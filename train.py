"""Train as a SageMaker training job does. SageMaker's contract names this file; see recommender/cli/train.py."""

import sys

from recommender.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
