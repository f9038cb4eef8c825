"""Fixtures: a small job that train.py has trained, and its recommender and app."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import settings
from support.image import has_engine
from support.job import NO_REPORT, ROOT, Job
from support.raw import Prepare, Problem, Raw, Result
from support.shared import Shared

from infra.local.s3 import S3Server, serving
from recommender.cli.prepare import main
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import BASE_DIR
from recommender.service.app import create_app

settings.register_profile("default", deadline=None)  # a slow machine must not fail a test
settings.load_profile("default")

REAL_DATA = ROOT / os.environ.get("RECOMMENDER_DATA", "../shared/data")
SDK_PYTHON = ROOT / ".venv-aws" / "bin" / "python"  # the SageMaker SDK needs an older gunicorn than the server
TOOLS = ("unshare", "ip", "pgrep", "java")


def missing_components() -> str | None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None] + ["root"] * (os.geteuid() != 0)
    return f"real components need root and {', '.join(TOOLS)}; missing: {', '.join(missing)}" if missing else None


def missing_engine() -> str | None:
    return None if has_engine() else "no Docker engine responds: on Debian, as root, make test-container starts one"


def missing_sdk() -> str | None:
    return None if SDK_PYTHON.exists() else f"{SDK_PYTHON} does not exist: make test-aws creates it"


def missing_data() -> str | None:
    return None if REAL_DATA.is_dir() else f"RECOMMENDER_DATA: the folder {REAL_DATA} does not exist"


# Marker -> a function that returns why its tests can't run, and the variable that makes this an error (CI sets it).
NEEDS: dict[str, tuple[Callable[[], str | None], str | None]] = {
    "real_component": (missing_components, "REQUIRE_REAL_COMPONENTS"),
    "container": (missing_engine, "REQUIRE_CONTAINERS"),
    "aws": (missing_sdk, "REQUIRE_AWS_SDK"),
    "real_data": (missing_data, None),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for marker, (missing, required) in NEEDS.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing() if marked else None
        if reason and required is not None and required in os.environ:
            raise pytest.UsageError(reason)
        for item in marked if reason else ():
            item.add_marker(pytest.mark.skip(reason=str(reason)))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return an empty job, which train.main([]) and serve.main() in this process use, too."""
    monkeypatch.setenv(BASE_DIR, str(tmp_path))
    for name, value in NO_REPORT.items():
        monkeypatch.setenv(name, value)
    return Job(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Return folders that one worker of pytest-xdist fills for all workers."""
    own = tmp_path_factory.getbasetemp()
    return Shared((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared")


@pytest.fixture(scope="session")
def trained(shared: Shared) -> Job:
    """Return a job after train.py. Tests must not change it."""

    def make(folder: Path) -> None:
        job = Job(folder)
        job.write_synthetic(users=300, items=250, ratings=4_000)
        job.write_hyperparameters(embedding_dim="16")
        job.train_shared()

    return Job(shared.folder("trained", make))


@pytest.fixture
def trained_copy(trained: Job, tmp_path: Path) -> Job:
    """Return a copy of `trained` that a test may damage."""
    shutil.copytree(trained.base_dir, tmp_path / "job")
    return Job(tmp_path / "job")


@pytest.fixture(scope="session")
def paper(shared: Shared, trained: Job) -> Job:
    """Return the job of `trained` with the pipeline paper. Tests must not change it."""

    def make(folder: Path) -> None:
        job = Job(folder)
        shutil.copytree(trained.base_dir / "input" / "data", job.base_dir / "input" / "data")
        job.write_hyperparameters(embedding_dim="16", pipeline="paper")
        job.train_shared()

    return Job(shared.folder("paper", make))


@pytest.fixture
def paper_copy(paper: Job, tmp_path: Path) -> Job:
    """Return a copy of `paper` that a test may damage."""
    shutil.copytree(paper.base_dir, tmp_path / "job")
    return Job(tmp_path / "job")


@pytest.fixture(scope="session")
def recommender(trained: Job) -> Recommender:
    return Recommender.load(trained.container.model_dir)


@pytest.fixture
def client(recommender: Recommender) -> FlaskClient:
    return create_app(recommender).test_client()


@pytest.fixture(scope="session")
def real_data() -> Path:
    return REAL_DATA


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with serving(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    return Raw(tmp_path / "raw")


@pytest.fixture
def prepare(raw: Raw, tmp_path: Path) -> Prepare:
    """Return a function that runs the command on the raw files, or on the given places instead."""

    def run(*options: str, places: list[str] | None = None, output: str = "out") -> Result:
        arguments = [*(raw.places if places is None else places), "--output", str(tmp_path / output), *options]
        assert main(arguments) == 0
        return Result(tmp_path / output)

    return run


@pytest.fixture
def problem(raw: Raw, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Problem:
    """Return a function that runs a failing command and returns its error; it checks that only rejects are written."""

    def run(*options: str, places: list[str] | None = None) -> str:
        out = tmp_path / "out"
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
        arguments = [*(raw.places if places is None else places), "--output", str(out), *options]
        assert main(arguments) == 1
        after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
        assert {path.name for path in after.keys() - before.keys()} <= {"rejects-of-failed-run.csv"}
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert line.isprintable()
        assert len(line) < 600
        return line.removeprefix("error: ")

    return run
