"""Training jobs and searches for hyper-parameters, through the SageMaker SDK."""

import logging
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig

from infra import image, stacks
from infra.aws import Aws, LaunchError
from infra.names import CHANNELS, CHECKPOINTS, MODEL, NAME, TAGS, TRAINING
from infra.stacks import Base
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker import environment
from recommender.training.metrics import metric_definitions
from recommender.training.objectives import Objective, objective_of, search_space

if TYPE_CHECKING:
    from sagemaker.train import ModelTrainer

POLL_SECONDS = 15
ENDED = ("Completed", "Failed", "Stopped")
# These settings switch off defaults of the SDK. By default it reports each call and its error to AWS's telemetry. It
# reads defaults of the machine, so that a job would depend on who starts it. And it refuses a role without all
# permissions that it knows; the role of the first stack has only those that a job needs.
SDK_SETTINGS = {
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(Path(__file__).with_name("sagemaker.yaml")),
    "SAGEMAKER_USER_CONFIG_OVERRIDE": str(Path(__file__).with_name("sagemaker.yaml")),
    "SAGEMAKER_CORE_ADMIN_CONFIG_OVERRIDE": str(Path(__file__).with_name("sagemaker.yaml")),
    "SAGEMAKER_CORE_USER_CONFIG_OVERRIDE": str(Path(__file__).with_name("sagemaker.yaml")),
    "SAGEMAKER_VALIDATE_ROLE": "false",
}


def quiet_sdk() -> None:
    """Configure the SDK before its import: no telemetry, no defaults of the machine."""
    os.environ.update(SDK_SETTINGS)
    logging.getLogger("sagemaker").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Machines:
    """The machines of a job, and its time limits.

    Attributes:
        instance_type: instance type of SageMaker.
        instance_count: number of hosts that fit one model together.
        volume_gb: disk size of each host.
        spot: use spot capacity, which AWS may reclaim; the job then resumes from its checkpoint.
        max_minutes: maximum training time.
        max_wait_minutes: maximum of training time and waiting for spot capacity together.
        input_mode: File copies the channels first, FastFile streams them.
    """

    instance_type: str
    instance_count: int
    volume_gb: int
    spot: bool
    max_minutes: int
    max_wait_minutes: int
    input_mode: str


@dataclass(frozen=True)
class Job:
    """The description of a training job to start.

    Attributes:
        data: name of the channels.
        machines: its machines.
        hyperparameters: as the user wrote them; the others have their defaults.
        image: URI; by default the most recently pushed image.
    """

    data: str
    machines: Machines
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None

    def checked(self) -> TrainConfig:
        """Check and return the hyper-parameters as train.py will read them.

        Raises:
            ConfigError: the error of train.py, but before anything is billed.
            LaunchError: the time limits contradict each other.
        """
        if self.machines.max_wait_minutes < self.machines.max_minutes:
            raise LaunchError(
                f"--max-wait-minutes: expected at least --max-minutes, which is {self.machines.max_minutes}, "
                f"got {self.machines.max_wait_minutes}"
            )
        return TrainConfig.from_layers([("command line", self.hyperparameters)])


def files(folder: Path) -> dict[str, list[Path]]:
    """Return channel -> files of a folder as `python -m recommender prepare` writes it.

    Raises:
        LaunchError: the folder has no train channel.
    """
    found = {
        channel: sorted(
            path
            for path in (folder / channel).rglob("*")
            if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        )
        for channel in environment.CHANNELS
    }
    if not found["train"]:
        raise LaunchError(f"{folder / 'train'}: expected a folder with the files of channel train")
    return {channel: paths for channel, paths in found.items() if paths}


def upload(aws: Aws, base: Base, folder: Path, name: str) -> None:
    """Upload the channels of a folder to the bucket; remove files of an earlier upload that the folder lacks.

    Raises:
        LaunchError: see `files`.
    """
    s3 = aws.client("s3")
    sent = {
        f"{CHANNELS}/{name}/{path.relative_to(folder).as_posix()}": path
        for paths in files(folder).values()
        for path in paths
    }
    for key, path in sent.items():
        # In a dry run one after the other, for a reproducible order.
        s3.upload_file(str(path), base.bucket, key, Config=TransferConfig(use_threads=aws.dry_run is None))
    for key in _keys(aws, base, f"{CHANNELS}/{name}/"):
        if key not in sent:
            s3.delete_object(Bucket=base.bucket, Key=key)
    print(f"channels: {len(sent)} files in {base.uri(CHANNELS, name)}/")


def _keys(aws: Aws, base: Base, prefix: str) -> list[str]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=base.bucket, Prefix=prefix)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def channels(aws: Aws, base: Base, name: str) -> list[str]:
    """Return the channels of that name in the bucket.

    Raises:
        LaunchError: there is no train channel.
    """
    prefix = f"{CHANNELS}/{name}/"
    found = aws.client("s3").list_objects_v2(Bucket=base.bucket, Prefix=prefix, Delimiter="/")
    folders = {common["Prefix"].removeprefix(prefix).rstrip("/") for common in found.get("CommonPrefixes", [])}
    if "train" not in folders:
        raise LaunchError(f"{base.uri(prefix)}train/: no files found: run `upload FOLDER --name {name}` first")
    return [channel for channel in environment.CHANNELS if channel in folders]


def train(aws: Aws, job: Job, wait: bool) -> str:
    """Start a training job; with `wait`, follow it to its end.

    Returns:
        The name of the job.

    Raises:
        ConfigError: a hyper-parameter is invalid.
        LaunchError: a prerequisite is missing, or the job failed.
    """
    config = job.checked()
    base = stacks.base(aws)
    trainer = _trainer(aws, base, job, f"{NAME}-{secrets.token_hex(2)}")
    trainer.train(input_data_config=_inputs(aws, base, job), wait=False, logs=False)
    name = str(trainer._latest_training_job.training_job_name)
    print(f"training job: {name}")
    if config.without_effect:
        print(f"without effect, given the other hyper-parameters: {', '.join(config.without_effect)}")
    print(f"model, once the job has completed: {base.uri(TRAINING, name, MODEL)}")
    if wait:
        follow(aws, name)
    return name


def tune(aws: Aws, job: Job, max_jobs: int, max_parallel: int, wait: bool, objective: str | None = None) -> str:
    """Search for the hyper-parameters with the best validation metric, by SageMaker's automatic model tuning.

    Hyper-parameters that the job sets are fixed; the rest of `search_space` is searched. The objective is a name of
    `OBJECTIVES`, by default that of the pipeline.

    Returns:
        The name of the tuning job.

    Raises:
        ConfigError: a hyper-parameter is invalid, or the pipeline does not measure the objective.
        LaunchError: no hyper-parameter is left to search, a prerequisite is missing, or the job failed.
    """
    checked = job.checked()
    wanted = objective_of(checked, objective)
    space = search_space(checked, wanted)
    if not space:
        raise LaunchError("tune: nothing is left to search: every hyper-parameter of the search is set; leave one out")
    job = replace(job, hyperparameters={"report": "false", **job.hyperparameters})  # a trial needs no report
    base = stacks.base(aws)
    name = f"{NAME}-{time.strftime('%y%m%d%H%M%S')}-{secrets.token_hex(2)}"  # 32 characters at most
    tuner = _tuner(_trainer(aws, base, job, name), checked, wanted, max_jobs, max_parallel)
    tuner.tune(inputs=_inputs(aws, base, job), job_name=name, wait=False)
    print(f"tuning job: {name}: {', '.join(space)}")
    if wait:
        _follow_search(aws, name)
    return name


def _trainer(aws: Aws, base: Base, job: Job, name: str) -> "ModelTrainer":
    """Return a training job of the SDK; its name and the folder of its checkpoints begin with `name`."""
    quiet_sdk()
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.train import ModelTrainer
    from sagemaker.train import configs as sdk

    machines = job.machines
    # With network isolation hosts reach each other, but nothing else (CreateTrainingJob, EnableNetworkIsolation).
    networking = sdk.Networking(
        enable_network_isolation=True, enable_inter_container_traffic_encryption=machines.instance_count > 1
    )
    definitions = [
        sdk.MetricDefinition(name=made["Name"], regex=made["Regex"]) for made in metric_definitions(job.checked())
    ]
    return ModelTrainer(
        sagemaker_session=Session(boto_session=aws.session, default_bucket=base.bucket),
        role=base.training_role,
        base_job_name=name,
        training_image=job.image or image.newest(aws, base),
        compute=sdk.Compute(
            instance_type=machines.instance_type,
            instance_count=machines.instance_count,
            volume_size_in_gb=machines.volume_gb,
            enable_managed_spot_training=machines.spot,
        ),
        networking=networking,
        stopping_condition=sdk.StoppingCondition(
            max_runtime_in_seconds=machines.max_minutes * 60,
            max_wait_time_in_seconds=machines.max_wait_minutes * 60 if machines.spot else None,
            max_pending_time_in_seconds=None,
        ),
        output_data_config=sdk.OutputDataConfig(s3_output_path=base.uri(TRAINING), compression_type="GZIP"),
        checkpoint_config=sdk.CheckpointConfig(s3_uri=base.uri(CHECKPOINTS, name)),
        training_input_mode=machines.input_mode,
        environment={},
        hyperparameters=dict(job.hyperparameters),
        tags=[sdk.Tag(key=key, value=value) for key, value in TAGS.items()],
    ).with_metric_definitions(definitions)


def _inputs(aws: Aws, base: Base, job: Job) -> list[Any]:
    """Return a channel of the SDK for each channel in the bucket; every host reads all of it."""
    from sagemaker.train import configs as sdk

    return [
        sdk.Channel(
            channel_name=channel,
            input_mode=job.machines.input_mode,
            data_source=sdk.DataSource(
                s3_data_source=sdk.S3DataSource(
                    s3_data_type="S3Prefix",
                    s3_uri=base.uri(CHANNELS, job.data, channel, ""),
                    s3_data_distribution_type="FullyReplicated",
                )
            ),
        )
        for channel in channels(aws, base, job.data)
    ]


def _tuner(trainer: "ModelTrainer", config: TrainConfig, objective: Objective, max_jobs: int, max_parallel: int) -> Any:  # noqa: ANN401
    from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
    from sagemaker.train.tuner import HyperparameterTuner

    class Tuner(HyperparameterTuner):  # type: ignore[misc]
        """The SDK's tuner with all of the trainer's networking; the SDK itself copies only the VPC."""

        def _build_training_job_definition(self, inputs: object) -> Any:  # noqa: ANN401
            definition = super()._build_training_job_definition(inputs)
            for setting in ("enable_network_isolation", "enable_inter_container_traffic_encryption"):
                setattr(definition, setting, getattr(trainer.networking, setting))
            return definition

    return Tuner(
        trainer,
        objective.metric,
        {
            name: (IntegerParameter if values.whole else ContinuousParameter)(
                values.low, values.high, "Logarithmic" if values.logarithmic else "Linear"
            )
            for name, values in search_space(config, objective).items()
        },
        metric_definitions=metric_definitions(config),
        objective_type="Maximize" if objective.maximize else "Minimize",
        max_jobs=max_jobs,
        max_parallel_jobs=max_parallel,
        # A job prints the objective once, at its end, so there is nothing to stop early.
        early_stopping_type="Off",
    )


def follow(aws: Aws, name: str) -> dict[str, Any]:
    """Wait until a training job has ended, and print its final metrics.

    Returns:
        The description of the job.

    Raises:
        LaunchError: the job failed or was stopped.
    """
    client = aws.client("sagemaker")
    shown = None
    while True:
        job = client.describe_training_job(TrainingJobName=name)
        if job.get("SecondaryStatus") != shown:
            shown = job.get("SecondaryStatus")
            print(f"{name}: {shown}")
        if job["TrainingJobStatus"] in ENDED:
            break
        time.sleep(POLL_SECONDS)
    if job["TrainingJobStatus"] != "Completed":
        raise LaunchError(
            f"training job {name}: {job['TrainingJobStatus']}: {job.get('FailureReason', 'it was stopped')}"
        )
    for metric in job.get("FinalMetricDataList", []):
        print(f"{metric['MetricName']}={metric['Value']:.6g}")
    return dict(job)


def _follow_search(aws: Aws, name: str) -> None:
    client = aws.client("sagemaker")
    while True:
        job = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if job["HyperParameterTuningJobStatus"] in ENDED:
            break
        time.sleep(POLL_SECONDS)
    best = job.get("BestTrainingJob")
    if job["HyperParameterTuningJobStatus"] == "Failed" or not best:
        raise LaunchError(f"tuning job {name}: {job.get('FailureReason', 'none of its training jobs completed')}")
    values = " ".join(f"--{key} {value}" for key, value in best["TunedHyperParameters"].items())
    print(f"best: {best['TrainingJobName']}: {values}")
    metric = best["FinalHyperParameterTuningJobObjectiveMetric"]
    print(f"{metric['MetricName']}={metric['Value']:.6g}")
    print(f"next: deploy --model {best['TrainingJobName']}")
