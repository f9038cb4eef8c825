"""Batch scoring: one file with the server's recommendations for every user."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shop
from support.job import Job
from support.model import factors_of

from recommender.candidates.exact_search import ExactSearch
from recommender.cli import score
from recommender.components.query import Query
from recommender.pipeline import batch
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import DENY_LIST


def test_the_file_has_the_servers_recommendations_for_every_user(
    trained: Job, recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", 7)  # the last block is not full
    output = tmp_path / "new" / "scores.parquet"
    assert score.main(["--model", str(trained.container.model_dir), "--output", str(output), "--workers", "2"]) == 0
    rows = pq.read_table(output).to_pylist()
    expected: list[dict[str, Any]] = []
    for number in range(len(recommender.model.users)):
        answer = recommender.recommend(recommender.model.users.id(number))
        expected += [
            {"user_id": answer.user_id, "rank": rank, "item_id": item.item_id, "score": item.score,
             "predicted_rating": item.predicted_rating}
            for rank, item in enumerate(answer.items, start=1)
        ]  # fmt: skip
    assert [{**row, "score": None, "predicted_rating": None} for row in rows] == [
        {**row, "score": None, "predicted_rating": None} for row in expected
    ]
    for column in ("score", "predicted_rating"):
        np.testing.assert_allclose([row[column] for row in rows], [row[column] for row in expected], rtol=1e-12)
    assert len(rows) == 5 * len(recommender.model.users)
    assert sorted(path.name for path in output.parent.iterdir()) == ["scores.parquet"]


def test_a_csv_file_has_the_same_rows(trained: Job, tmp_path: Path) -> None:
    for name in ("scores.parquet", "scores.csv"):
        assert score.main(["--base-dir", str(trained.base_dir), "--output", str(tmp_path / name)]) == 0
    parquet, csv = (
        pd.read_parquet(tmp_path / "scores.parquet"),
        pd.read_csv(tmp_path / "scores.csv", dtype={0: str, 2: str}),
    )
    pd.testing.assert_frame_equal(parquet, csv, check_dtype=False)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_batch_scoring_gives_each_user_the_same_candidates(
    recommender: Recommender, num_users: int, count: int, seed: int
) -> None:
    factors = factors_of(recommender)
    random = np.random.default_rng(seed)
    embedding = random.standard_normal((num_users, factors.user_embedding.shape[1]), dtype=np.float32)
    queries = [Query(exclude=random.integers(0, factors.num_items, 3)) for _ in range(num_users)]
    queries[0] = queries[0].restricted(random.random(factors.num_items) < 0.1)
    recall = ExactSearch(factors)
    for user, (item_num, item_score) in enumerate(recall.top_of_each(embedding, count, queries)):
        alone_num, alone_score = recall.top(embedding[user], count, queries[user])
        assert item_num.tolist() == alone_num.tolist()
        assert item_score.tolist() == alone_score.tolist()


@pytest.mark.parametrize("options", [["--top_k", "150"], ["--top-k", "3", "--num-candidates", "3"]])
def test_score_has_the_options_of_a_request(
    trained: Job, recommender: Recommender, tmp_path: Path, options: list[str]
) -> None:
    output = tmp_path / "scores.parquet"
    assert score.main(["--model", str(trained.container.model_dir), "--output", str(output), *options]) == 0
    table = pq.read_table(output)
    top_k = int(options[1])
    user = recommender.model.users.id(0)
    found = [row["item_id"] for row in table.to_pylist() if row["user_id"] == user]
    expected = recommender.recommend(
        user, top_k=top_k, num_candidates=max(top_k, LIMITS.num_candidates if top_k > 3 else 3)
    )
    assert found == [item.item_id for item in expected.items]


def test_a_damaged_or_missing_model_is_an_error_of_one_line_and_no_file(
    trained_copy: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained_copy.container.model_dir
    (folder / "factorization.user_bias.npy").write_bytes(b"damaged")
    output = tmp_path / "scores.parquet"
    for place in (folder, tmp_path / "gone"):
        assert score.main(["--model", str(place), "--output", str(output)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {place}")
    assert score.main(["--output", str(output), "--top_k", "0"]) == 1
    assert "--top_k" in capsys.readouterr().err
    for wrong in ("s3://bucket/x.parquet", "x.xlsx"):
        assert score.main(["--output", wrong]) == 1
        assert "--output: expected a local file name that ends in .parquet or .csv" in capsys.readouterr().err
    assert not output.exists()
    shutil.rmtree(folder)


def test_rules_count_for_every_user(tmp_path: Path) -> None:
    shop.with_attributes(shop.recommender()).save(tmp_path / "model")
    recommender = Recommender.load(tmp_path / "model")
    rules: dict[str, Any] = {"filter": {"store": {"any": ["A", "B"]}}, "max_per": {"store": 2}, "deny": ["w00"]}
    output, given = tmp_path / "scores.parquet", ["--rules", json.dumps(rules)]
    assert score.main(["--model", str(tmp_path / "model"), "--output", str(output), *given]) == 0
    rows = pd.read_parquet(output)
    for user_id, own in rows.groupby("user_id"):
        expected = [item.item_id for item in recommender.recommend(str(user_id), **rules).items]
        assert own["item_id"].tolist() == expected
    assert rows["user_id"].nunique() == shop.NUM_USERS


def test_denied_items_are_in_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.recommender().save(tmp_path / "model")
    command = ["--model", str(tmp_path / "model"), "--output", str(tmp_path / "scores.parquet"), "--top_k", "26"]

    def scored() -> set[str]:
        assert score.main(command) == 0
        return set(pd.read_parquet(tmp_path / "scores.parquet")["item_id"])

    everything = scored()
    (tmp_path / "model" / "deny.txt").write_text("w00\n")
    assert scored() == everything - {"w00"}
    assert "w00" not in {item.item_id for item in Recommender.load(tmp_path / "model").recommend("u01", top_k=26).items}
    (tmp_path / "other.txt").write_text("s01\n")
    monkeypatch.setenv(DENY_LIST, str(tmp_path / "other.txt"))
    assert scored() == everything - {"s01"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("[]", "--rules: expected one JSON object"),
        ("{", "--rules: expected one JSON object"),
        ('{"diversity": 2}', "--rules: diversity: expected less than or equal to 1, got 2"),
        ('{"filter": {"colour": {"any": ["red"]}}}', "--rules: filter: unknown attribute 'colour'; the items have "),
    ],
)
def test_invalid_rules_are_refused_before_anything_is_written(
    trained: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, expected: str
) -> None:
    output = tmp_path / "scores.csv"
    command = ["--model", str(trained.container.model_dir), "--output", str(output), "--rules", rules]
    assert score.main(command) == 1
    assert expected in capsys.readouterr().err
    assert not output.exists()
