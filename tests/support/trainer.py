"""Training jobs in forked processes with all imports done, for tests that start and kill many."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from support.job import NO_REPORT, Job

from recommender.cli import train
from recommender.sagemaker.environment import BASE_DIR


def start(job: Job, log: Path) -> BaseProcess:
    """Start train.py's main in a fork of a process that has imported torch; this saves two seconds.

    Args:
        job: the job to train.
        log: the file for the job's stdout.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["recommender.training.job"])
    process = context.Process(target=_train, args=(job.base_dir, log))
    process.start()
    return process


def _train(base_dir: Path, log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
    os.environ.update({BASE_DIR: str(base_dir), **NO_REPORT})
    sys.exit(train.main([]))
