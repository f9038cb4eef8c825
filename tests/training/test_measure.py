"""The metrics of a job, apart from its own order: the paper's pipeline, popularity and the choices."""

import re

import pytest
from support.job import Job

from recommender.cli import train


def test_the_papers_pipeline_gets_the_same_metrics_as_in_a_separate_job(trained: Job, trained_copy: Job) -> None:
    trained_copy.write_hyperparameters(embedding_dim="16", pipeline="paper")
    assert trained_copy.train_here().returncode == 0
    alone, compared = trained_copy.metrics, trained.metrics
    for metric in ("hit_rate_at_5", "hit_rate_at_100", "ndcg_at_10", "mrr_at_10", "novelty_at_10"):
        assert compared[f"paper_{metric}"] == pytest.approx(alone[f"test_{metric}"])
    assert not any(name.startswith("paper_") for name in alone)


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        ("user_id,item_id\nu,a\nu,b\nv,a\nv,b\n", {}),
        ("user_id,item_id,rating\nu,a,5\nu,b,1\nv,a,4\nv,b,2\n", {"candidate_sources": "neighbours,popularity"}),
    ],
)
def test_without_predicted_ratings_the_papers_pipeline_is_not_measured(
    job: Job, rows: str, values: dict[str, str]
) -> None:
    job.write("train/a.csv", rows)
    job.write("test/t.csv", "user_id,item_id\nu,b\n")
    job.write_hyperparameters(**values)
    assert train.main([]) == 0
    assert "popularity_hit_rate_at_10" in job.metrics
    assert not any(name.startswith("paper_") for name in job.metrics)


def test_a_source_that_proposes_no_candidates_has_no_metrics(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.write_synthetic(users=100, items=60, ratings=900)
    assert train.main(["--implicit_mf_max_items", "0", "--candidate_sources", "implicit_mf,popularity"]) == 0
    assert [name for name in job.metrics if "implicit_mf" in name] == []
    assert "validation_popularity_ndcg_at_100" in job.metrics
    assert "implicit_mf_hit_rate" not in capsys.readouterr().out


def test_a_job_logs_a_warning_if_its_order_is_worse_than_popularity(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """Let all users take the popular item next. The paper's pipeline recommends rare items with high ratings."""
    rows = [f"fan{user},popular,3\nfan{user},rare{user % 30},5\n" for user in range(90)]
    rows += [f"user{user},rare{user % 30},5\nuser{user},bad{user % 20},1\n" for user in range(60)]
    job.write("train/a.csv", "user_id,item_id,rating\n" + "".join(rows))
    job.write("test/t.csv", "user_id,item_id,rating\n" + "".join(f"user{user},popular,3\n" for user in range(60)))
    assert train.main(["--pipeline", "paper", "--embedding_dim", "4"]) == 0
    line = re.search(r"^on the test channel the final order is worse .*$", capsys.readouterr().out, re.MULTILINE)
    assert line is not None
    assert "its hit rate at 10 is 0.00%, the hit rate of popularity is 100.00%" in line[0]
    assert train.main(["--embedding_dim", "4"]) == 0
    assert "is worse than" not in capsys.readouterr().out
