"""The search: never worse than the defaults, goes on, looks at validation alone."""

import json
import re
import sys

import pytest
from support.job import Job

from recommender.cli.tune import main

ERROR = re.compile(r"trial (\d+)(?: of \d+)?: validation_rmse=([\d.]+)")


@pytest.fixture
def small(job: Job) -> Job:
    job.write_synthetic(users=200, items=100, ratings=3_000)
    return job


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[float], float]:
    """Errors of the trials, and the best one."""
    found = [float(error) for _, error in ERROR.findall(capsys.readouterr().out)]
    return found[:-1], found[-1]


def test_the_best_is_the_least_error_and_the_first_trial_that_of_the_defaults(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--trials", "6", "--embedding_dim", "8"]) == 0
    errors, best = said(capsys)
    assert len(errors) == 6
    assert best == min(errors) <= errors[0]
    small.write_hyperparameters(embedding_dim="8")
    assert small.train_here().returncode == 0
    assert small.metrics["validation_rmse"] == pytest.approx(errors[0], rel=1e-5)


def test_what_is_found_trains_the_job_to_the_same_validation_error(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--trials", "4", "--embedding_dim", "8", "--seed", "3"]) == 0
    _, best = said(capsys)
    found = json.loads((small.base_dir / "tuning" / "hyperparameters.json").read_text())
    assert {type(value) for value in found.values()} == {str}
    assert (found["embedding_dim"], found["seed"]) == ("8", "3")
    small.write_hyperparameters(**found)
    assert small.train_here().returncode == 0
    assert small.metrics["validation_rmse"] == pytest.approx(best, rel=1e-5)


def test_the_same_command_goes_on_and_other_fixed_values_begin_anew(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--trials", "2", "--embedding_dim", "4"]) == 0
    first, _ = said(capsys)
    assert main(["--trials", "5", "--embedding_dim", "4"]) == 0
    second, best = said(capsys)
    assert (len(first), len(second)) == (2, 3)
    assert best == min(first + second)
    assert main(["--trials", "5", "--embedding_dim", "4"]) == 0
    assert said(capsys) == ([], best)
    assert main(["--trials", "2", "--embedding_dim", "5"]) == 0
    assert len(said(capsys)[0]) == 2


def test_the_test_channel_is_never_looked_at(small: Job) -> None:
    for path in small.container.channel_dir("test").rglob("*"):
        path.unlink()
    small.write("test/broken.csv", "nothing that could be read")
    assert main(["--trials", "1", "--embedding_dim", "4"]) == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--trials", "0"], "command line: Invalid value for '--trials': 0 is not in the range"),
        (["--embedding_dim", "0"], "hyper-parameter 'embedding_dim': expected greater than or equal to 1"),
        (
            ["--embedding_dim", "4", "--regularization", "1", "--user_bias_regularization", "1",
             "--item_bias_regularization", "1"],
            "sets every hyper-parameter of the search",
        ),
        (["--train", "/nowhere"], "/nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    small: Job, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert problem in line
    assert not (small.base_dir / "tuning" / "hyperparameters.json").exists()


def test_a_job_with_nothing_to_validate_on_is_told(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.write("train/a.csv", "user_id,item_id,rating\nu,a,5\nv,b,1\n")
    assert main(["--trials", "1"]) == 1
    assert "there is nothing to validate on" in capsys.readouterr().err


def test_without_optuna_the_command_that_installs_it_is_named(
    small: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main([]) == 1
    assert "pip install 'recommender[tune]'" in capsys.readouterr().err
