"""The names that the templates, the commands and the account share."""

from pathlib import Path

NAME = "recommender"  # of the service's stack and the model packages' group; other names begin with it
BASE_STACK = f"{NAME}-base"
PROJECT = Path(__file__).parent.parent
BASE_TEMPLATE = PROJECT / "infra" / "base.yaml"
SERVICE_TEMPLATE = PROJECT / "infra" / "service.yaml"
TAGS = {"project": NAME}

# Prefixes of the bucket.
CHANNELS = "channels"  # NAME/{train,validation,test,items}/: what jobs read
TRAINING = "training"  # JOB/output/: model.tar.gz and output.tar.gz, statistics.json of what is registered
CHECKPOINTS = "checkpoints"  # JOB without the time at its end/: where a job that was interrupted goes on
TRANSFORM = "transform"  # the questions of batch transforms; JOB/: the answers of one
FUNCTIONS = "functions"  # HASH.zip: the Lambda function

MODEL = "output/model.tar.gz"  # below TRAINING/JOB/
