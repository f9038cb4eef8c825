"""Unusual data, from the file through training to the response."""

import json
from collections.abc import Callable

import pytest
from support.job import Job

from recommender.cli import train
from recommender.pipeline.recommender import Recommender

HEADER = "user_id,item_id,rating,timestamp\n"


@pytest.fixture
def trained_on(job: Job) -> Callable[..., Recommender]:
    """Return a function that trains on rows of the channel train and loads the model."""

    def call(rows: list[tuple[object, ...]], **hyperparameters: str) -> Recommender:
        job.write("train/a.csv", HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows))
        job.write_hyperparameters(embedding_dim="4", **hyperparameters)
        assert train.main([]) == 0
        return Recommender.load(job.container.model_dir)

    return call


def test_users_and_items_with_a_single_rating_are_served(trained_on: Callable[..., Recommender]) -> None:
    recommender = trained_on([("u", "a", 5, 1), ("v", "b", 1, 2), ("w", "c", 3, 3)])
    for user_id, own in (("u", "a"), ("v", "b"), ("w", "c")):
        response = recommender.recommend(user_id)
        assert response.source == "model"
        assert {item.item_id for item in response.items} == {"a", "b", "c"} - {own}


@pytest.mark.parametrize("rating", [1, 3, 5])
@pytest.mark.parametrize("values", [{}, {"solver": "adam", "max_epochs": "3"}])
def test_constant_ratings_are_predicted(
    trained_on: Callable[..., Recommender], rating: int, values: dict[str, str]
) -> None:
    rows = [(f"u{user}", f"i{item}", rating, item) for user in range(6) for item in range(6) if user != item]
    recommender = trained_on(rows, **values)
    for user in range(6):
        (item,) = recommender.recommend(f"u{user}").items
        assert item.item_id == f"i{user}"
        # Adam's weight decay pulls the global bias a little towards zero.
        assert item.predicted_rating == pytest.approx(rating, abs=0.05 if values else 1e-4)


IDS = [
    *("1", "01", "1.0", "é", "e\u0301", "\u200bzero width", "👩‍👩‍👧", "شمس", "日本", "a b"),
    *("NaN", "None", "\ufeff", "%2e%2e/", "ﬁ"),
]


def test_ids_that_look_alike_stay_different_from_the_file_to_the_response(
    trained_on: Callable[..., Recommender],
) -> None:
    """Train on IDs that differ only by normalization, trimming or as numbers. None of these happens."""
    recommender = trained_on([(identifier, identifier, 4, 1) for identifier in IDS])
    assert sorted(recommender.model.users) == sorted(recommender.model.items) == sorted(IDS)
    for identifier in IDS:
        others = {item.item_id for item in recommender.recommend(identifier, top_k=100).items}
        assert others == set(IDS) - {identifier}


def test_an_integer_id_in_json_lines_becomes_its_decimal_digits(job: Job) -> None:
    ids: list[object] = [1, "1", "01", 10**30]
    rows = [{"user_id": identifier, "item_id": "i", "rating": 4} for identifier in ids]
    job.write("train/a.jsonl", "\n".join(map(json.dumps, rows)))
    assert train.main([]) == 0
    assert list(Recommender.load(job.container.model_dir).model.users) == ["01", "1", str(10**30)]


@pytest.mark.parametrize("column", ["user_id", "item_id", "rating", "timestamp"])
def test_a_field_of_ten_million_characters_is_refused_with_a_short_message(job: Job, column: str) -> None:
    row = {"user_id": "u", "item_id": "i", "rating": "4", "timestamp": "1"} | {column: "x" * 10_000_000}
    job.write("train/a.csv", HEADER + ",".join(row.values()) + "\n")
    assert train.main([]) == 1
    assert job.failure is not None
    assert f"row 1 below the header, column '{column}'" in job.failure
    assert len(job.failure) < 500


def test_a_title_of_ten_million_characters_is_cut_and_logged(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    job.write("train/a.csv", HEADER + "u,i,4,1\nv,i,3,1\nv,j,3,1\n")
    job.write("items/a.csv", "item_id,title\ni,Red wool scarf\nj," + "wool " * 2_000_000 + "\n")
    assert train.main([]) == 0
    assert "1 titles of more than 2,000 characters are cut" in capfd.readouterr().out
    (item,) = Recommender.load(job.container.model_dir).recommend("u").items
    assert len(item.title or "") == 2_000


@pytest.mark.parametrize(("keep", "ratings"), [("keep", [5, 1]), ("first", [5]), ("last", [1]), ("mean", [3])])
def test_repeated_ratings_are_kept_or_merged_by_the_option_duplicates(
    trained_on: Callable[..., Recommender], keep: str, ratings: list[float]
) -> None:
    recommender = trained_on([("u", "a", 5, 1), ("u", "a", 1, 2), ("v", "a", 4, 1)], duplicates=keep)
    assert recommender.model.histories.of(0)[1].tolist() == ratings
