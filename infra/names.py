"""The names that the templates, the commands and the account share."""

from pathlib import Path

NAME = "recommender"  # name of the service's stack and of the model package group; prefix of other names
BASE_STACK = f"{NAME}-base"
PROJECT = Path(__file__).parent.parent
BASE_TEMPLATE = PROJECT / "infra" / "base.yaml"
SERVICE_TEMPLATE = PROJECT / "infra" / "service.yaml"
TAGS = {"project": NAME}

# Prefixes of the bucket.
CHANNELS = "channels"  # NAME/{train,validation,test,items}/: input of jobs
TRAINING = "training"  # JOB/output/: model.tar.gz, output.tar.gz, statistics.json of registered models
CHECKPOINTS = "checkpoints"  # JOB without the time at its end/: checkpoints, from which an interrupted job resumes
TRANSFORM = "transform"  # requests of batch transforms; JOB/: responses of one
FUNCTIONS = "functions"  # HASH.zip: the Lambda function

MODEL = "output/model.tar.gz"  # below TRAINING/JOB/
