"""The search: it is never worse than the defaults, resumes, and reads validation data only.

Tests of the paper's pipeline search for the least validation error, the others for the greatest NDCG.
"""

import json
import re
import sys

import pytest
from support.job import Job

from recommender.cli.tune import main

ERROR = re.compile(r"trial (\d+)(?: of \d+)?: (?:validation_rmse|validation_final_ndcg_at_100)=([\d.]+)")
PAPER = ["--pipeline", "paper"]


@pytest.fixture
def small(job: Job) -> Job:
    job.write_synthetic(users=200, items=100, ratings=3_000)
    return job


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[float], float]:
    """Return the values of the trials, and the best one."""
    found = [float(error) for _, error in ERROR.findall(capsys.readouterr().out)]
    return found[:-1], found[-1]


def test_the_best_trial_has_the_least_error_and_the_first_one_the_defaults(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PAPER, "--trials", "6", "--embedding_dim", "8"]) == 0
    errors, best = said(capsys)
    assert len(errors) == 6
    assert best == min(errors) <= errors[0]
    small.write_hyperparameters(pipeline="paper", embedding_dim="8")
    assert small.train_here().returncode == 0
    assert small.metrics["validation_rmse"] == pytest.approx(errors[0], rel=1e-5)


def test_a_job_with_the_found_values_has_the_same_validation_error(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PAPER, "--trials", "4", "--embedding_dim", "8", "--seed", "3"]) == 0
    _, best = said(capsys)
    found = json.loads((small.base_dir / "tuning" / "hyperparameters.json").read_text())
    assert {type(value) for value in found.values()} == {str}
    assert (found["embedding_dim"], found["seed"]) == ("8", "3")
    small.write_hyperparameters(**found)
    assert small.train_here().returncode == 0
    assert small.metrics["validation_rmse"] == pytest.approx(best, rel=1e-5)


def test_the_same_command_resumes_and_other_fixed_values_start_again(
    small: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PAPER, "--trials", "2", "--embedding_dim", "4"]) == 0
    first, _ = said(capsys)
    assert main([*PAPER, "--trials", "5", "--embedding_dim", "4"]) == 0
    second, best = said(capsys)
    assert (len(first), len(second)) == (2, 3)
    assert best == min(first + second)
    assert main([*PAPER, "--trials", "5", "--embedding_dim", "4"]) == 0
    assert said(capsys) == ([], best)
    assert main([*PAPER, "--trials", "2", "--embedding_dim", "5"]) == 0
    assert len(said(capsys)[0]) == 2


def test_the_search_never_reads_the_test_channel(small: Job) -> None:
    for path in small.container.channel_dir("test").rglob("*"):
        path.unlink()
    small.write("test/broken.csv", "nothing that could be read")
    assert main([*PAPER, "--trials", "1", "--embedding_dim", "4"]) == 0


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
        (["--objective", "ndcg"], "the pipeline paper does not measure NDCG on validation data"),
        (["--objective", "recall"], "'recall' is not one of 'rmse', 'ndcg'"),
    ],
)  # fmt: skip
def test_an_error_of_the_search_is_one_line(
    small: Job, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert main([*PAPER, *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert problem in line
    assert not (small.base_dir / "tuning" / "hyperparameters.json").exists()


def test_a_search_without_validation_data_is_an_error(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.write("train/a.csv", "user_id,item_id,rating\nu,a,5\nv,b,1\n")
    for arguments in (PAPER, [], ["--objective", "rmse"]):
        assert main(["--trials", "1", *arguments]) == 1
        assert "there is nothing to validate on" in capsys.readouterr().err


FIXED = ["--candidate_sources", "neighbours,implicit_mf,popularity", "--implicit_mf_num_sweeps", "2"]


def test_a_search_for_ndcg_is_not_worse_than_the_defaults(small: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trials", "3", *FIXED]) == 0
    values, best = said(capsys)
    assert len(values) == 3
    assert best == max(values) >= values[0]
    found = json.loads((small.base_dir / "tuning" / "hyperparameters.json").read_text())
    assert found.keys() - {"report"} == {
        *("candidate_sources", "implicit_mf_num_sweeps", "neighbours_num_neighbours"),
        *("implicit_mf_embedding_dim", "implicit_mf_regularization"),
    }
    small.write_hyperparameters(**found)
    assert small.train_here().returncode == 0
    assert small.metrics["validation_final_ndcg_at_100"] == pytest.approx(best, rel=1e-5)
    assert main(["--trials", "3", *FIXED]) == 1  # hyperparameters.json now fixes all of them
    assert "sets every hyper-parameter of the search" in capsys.readouterr().err


def test_a_search_for_ndcg_resumes_and_other_titles_start_again(small: Job, capsys: pytest.CaptureFixture[str]) -> None:
    fixed = ["--candidate_sources", "neighbours,titles"]
    assert main(["--trials", "1", *fixed]) == 0
    first, _ = said(capsys)
    assert main(["--trials", "2", *fixed]) == 0
    second, best = said(capsys)
    assert (len(first), len(second)) == (1, 1)
    assert best == max(first + second)
    small.container.channel_dir("items").joinpath("more.csv").write_text("item_id,title\nnew,Blue scarf\n")
    assert main(["--trials", "1", *fixed]) == 0
    assert len(said(capsys)[0]) == 1


def test_the_objective_for_events_without_ratings_is_ndcg(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"u{user},i{(user + step) % 8}\n" for user in range(30) for step in range(4))
    job.write("train/a.csv", "user_id,item_id\n" + rows)
    assert main(["--trials", "1"]) == 0
    assert "best: trial 1 of 1: validation_final_ndcg_at_100=" in capsys.readouterr().out
    assert main(["--trials", "1", "--objective", "rmse"]) == 1
    assert "have no validation error to minimize on this data" in capsys.readouterr().err


def test_the_error_without_optuna_names_the_command_to_install_it(
    small: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main([]) == 1
    assert "pip install '.[tune]'" in capsys.readouterr().err
