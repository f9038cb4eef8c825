"""The Python API: DataFrames -> recommendations, with the same model as train.py."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.job import ROOT, Job

import recommender as package
from recommender import Event, Recommender, train
from recommender.errors import ConfigError, DataError, RequestError


@pytest.fixture(scope="module")
def ratings(trained: Job) -> pd.DataFrame:
    """Return the ratings of the trained job."""
    return trained.ratings()


@pytest.fixture(scope="module")
def titles(trained: Job) -> pd.DataFrame:
    """Return the titles of the trained job."""
    return trained.titles()


def test_training_from_frames_gives_the_same_bytes_as_train_py(
    trained: Job, ratings: pd.DataFrame, titles: pd.DataFrame, tmp_path: Path
) -> None:
    train(ratings, titles, embedding_dim=16).save(tmp_path / "model")
    for path in trained.container.model_dir.iterdir():
        assert (tmp_path / "model" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_saved_recommender_returns_the_same_recommendations(
    ratings: pd.DataFrame, titles: pd.DataFrame, tmp_path: Path
) -> None:
    made = train(ratings, titles, embedding_dim=8)
    made.save(str(tmp_path))
    loaded = Recommender.load(str(tmp_path))
    user = str(ratings["user_id"].iloc[0])
    history = [Event(str(ratings["item_id"].iloc[5]), 5.0)]
    assert made.recommend(user) == loaded.recommend(user)
    assert made.recommend("new", history) == loaded.recommend("new", history)
    assert len(loaded.recommend(user, top_k=3).items) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"events": "ratings.csv"}, "events: expected a pandas DataFrame, got 'ratings.csv'"),
        ({"titles": {"1": "Scarf"}}, "titles: expected a pandas DataFrame, got an object"),
        ({"events": pd.DataFrame({"user": ["u"], "item_id": ["1"]})}, "perhaps columns='user_id=user'"),
    ],
)
def test_an_error_of_the_python_api_says_what_python_expects(
    ratings: pd.DataFrame, arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(DataError) as error:
        train(**{"events": ratings, **arguments})
    assert expected in str(error.value)
    assert "--" not in str(error.value)


def test_columns_may_be_a_dict_and_sources_a_list(ratings: pd.DataFrame) -> None:
    renamed = ratings.rename(columns={"user_id": "user"})
    own: dict[str, Any] = {"columns": {"user_id": "user"}, "candidate_sources": ["popularity", "neighbours"]}
    made = train(renamed, **own)
    assert made.model.config.source_names == ["popularity", "neighbours"]
    with pytest.raises(ConfigError, match="did you mean neighbours"):
        train(renamed, **{**own, "candidate_sources": ["neighbors"]})


def test_a_history_of_something_other_than_events_is_an_error(recommender: Recommender) -> None:
    with pytest.raises(RequestError, match=r"history\[0\]: expected an Event, got 'B07'"):
        recommender.recommend("u", ["B07"])  # type: ignore[list-item]


def test_ids_may_be_numbers_with_a_validation_frame(ratings: pd.DataFrame) -> None:
    random = np.random.default_rng(0)
    columns = {"user_id": random.integers(0, 30, 300), "item_id": random.integers(0, 20, 300), "rating": 4}
    frame = pd.DataFrame(columns)
    made = train(frame.iloc[:250], validation=frame.iloc[250:], embedding_dim=4)
    assert made.recommend("7").source == "model"
    assert made.recommend(frame["user_id"].iloc[0]) == made.recommend(str(frame["user_id"].iloc[0]))
    history = [Event(frame["item_id"].iloc[0], 5.0)]
    assert made.recommend("new", history).source == "fold_in"


def test_frames_may_have_other_column_names(ratings: pd.DataFrame, titles: pd.DataFrame) -> None:
    names = {"user_id": "visitorid", "item_id": "Item ID", "rating": "stars", "timestamp": "date", "title": "name"}
    events = ratings.rename(columns=names)
    events["date"] = pd.to_datetime(events["date"], unit="ms")
    columns = ",".join(f"{name}={given}" for name, given in names.items())
    few: dict[str, Any] = {"embedding_dim": 4, "candidate_sources": "factorization,titles"}
    made = train(events, titles.rename(columns=names), columns=columns, **few)
    plain = train(ratings, titles, **few)
    for user in ("new", str(ratings["user_id"].iloc[0])):
        assert made.recommend(user).items == plain.recommend(user).items


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (("a",), {"top_k": 0}, "top_k: expected a whole number from 1, got 0"),
        (("a",), {"top_k": "3"}, "top_k: expected a whole number from 1, got '3'"),
        (("a",), {"num_candidates": -1}, "num_candidates: expected a whole number from 1, got -1"),
        ((None,), {}, "user_id: expected a text, got null"),
        (("a", [Event(3.5, 5.0)]), {}, r"history\[0\].item_id: expected a text, got 3.5"),  # type: ignore[arg-type]
    ],
)
def test_an_invalid_argument_is_refused_with_its_name(
    recommender: Recommender, arguments: tuple[Any, ...], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(RequestError, match=f"^{expected}"):
        recommender.recommend(*arguments, **options)


def test_top_k_may_be_larger_than_the_default_number_of_candidates(recommender: Recommender) -> None:
    user = recommender.model.users.id(0)
    assert len(recommender.recommend(user, top_k=150).items) == 150


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rating": 9.0}, r"^events: row 1, column 'rating': expected a number from 1 to 5, got 9\.0"),
        ({"user_id": ""}, r"^events: row 1, column 'user_id': expected a text that is not empty"),
        ({"rating": "good"}, r"^events: row 1, column 'rating': expected a number from 1 to 5, got 'good'"),
        (
            {"timestamp": None},
            r"^events: row 1, column 'timestamp': expected a number, or a date or time such as .*, got null",
        ),
    ],
)
def test_an_error_names_frame_row_and_column_of_an_invalid_value(
    ratings: pd.DataFrame, change: dict[str, float | str | None], expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        train(ratings.head(50).assign(**change))


def test_a_missing_column_an_empty_frame_and_an_unknown_hyper_parameter_are_named(ratings: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"^events: column 'item_id' is missing"):
        train(ratings.drop(columns="item_id"))
    with pytest.raises(DataError, match=r"^events: expected at least one row"):
        train(ratings.head(0))
    with pytest.raises(ConfigError, match=r"^train\(\): hyper-parameter 'factors': unknown name"):
        train(ratings, factors=20)


def test_the_package_has_the_names_that_it_exports_and_no_unknown_ones() -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


WITHOUT_TORCH = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)

sys.meta_path.insert(0, Missing())
import pandas as pd
from recommender import train
train(pd.DataFrame({"user_id": ["a"], "item_id": ["b"], "rating": [1]}))
"""


def test_without_torch_the_error_names_the_extra_to_install() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], cwd=ROOT, capture_output=True, text=True)
    assert result.stderr.splitlines()[-1].endswith(
        "torch is not installed: run pip install '.[train]' in the project's folder"
    )
