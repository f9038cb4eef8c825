"""recommender split: events held out of an own file, as channels of a training job."""

from pathlib import Path

import pandas as pd
import pytest

from recommender.cli.split import main
from recommender.data.frames import to_interactions
from recommender.data.splits import split_leave_one_out

RATINGS = pd.DataFrame(
    {
        "user_id": ["u1", "u1", "u2", "u2", "u2", "u3"],
        "item_id": ["01", "1", "01", "1", "2", "1"],
        "rating": [5.0, 4.0, 3.0, 2.0, 1.0, 5.0],
        "timestamp": ["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-03", "2024-01-02", "2024-01-09"],
    }
)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    RATINGS.to_csv(tmp_path / "ratings.csv", index=False)
    return tmp_path / "ratings.csv"


def channel(folder: Path, name: str) -> list[tuple[str, str]]:
    rows = pd.read_parquet(folder / name)
    return list(zip(rows["user_id"].astype(str), rows["item_id"].astype(str), strict=True))


def test_the_last_event_of_each_user_is_held_out_if_its_user_and_item_stay_known(ratings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(ratings), "--output", str(out)]) == 0
    assert channel(out, "test") == [("u1", "1"), ("u2", "1")]
    assert channel(out, "train") == [("u1", "01"), ("u2", "01"), ("u2", "2"), ("u3", "1")]
    expected = split_leave_one_out(to_interactions(RATINGS))
    assert expected.test.to_frame()["timestamp"].tolist() == pd.read_parquet(out / "test")["timestamp"].tolist()


def test_the_newest_share_of_all_events_is_held_out(ratings: Path, tmp_path: Path) -> None:
    assert main([str(ratings), "--output", str(tmp_path / "out"), "--newest", "0.4"]) == 0
    newest = pd.read_parquet(tmp_path / "out" / "test")["timestamp"].min()
    assert pd.read_parquet(tmp_path / "out" / "train")["timestamp"].max() < newest


def test_columns_and_titles_get_the_names_of_the_project(tmp_path: Path) -> None:
    RATINGS.rename(columns={"user_id": "kunde", "rating": "stars"}).to_csv(tmp_path / "shop.csv", index=False)
    (tmp_path / "titles.csv").write_text("item_id,title\n1,Scarf\n")
    options = ["--items", str(tmp_path / "titles.csv"), "--columns", "user_id=kunde,rating=stars"]
    assert main([str(tmp_path / "shop.csv"), "--output", str(tmp_path / "out"), *options]) == 0
    assert set(pd.read_parquet(tmp_path / "out" / "train")) == {"user_id", "item_id", "rating", "timestamp"}
    assert pd.read_parquet(tmp_path / "out" / "items")["title"].tolist() == ["Scarf"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("user_id;item_id\n1;2\n", "the file has one column, 'user_id;item_id': write ',' between columns instead of"),
        ("Kunde,item_id\n1,2\n", "the file has 'Kunde', 'item_id'; name --columns user_id=..."),
        ("1,2\n3,4\n", "the file has '1', '2': the first row must have the names of the columns"),
        ("user_id,item_id,rating\n1,2,\n", "all rows need a value in this column"),
        ('user_id,item_id,rating\n1,2,"4,5"\n', "write a decimal point instead of the comma"),
        ("user_id,item_id,timestamp\n1,2,05.01.2024 08:40\n", "write the year first"),
        ("user_id,item_id\n1,2\n", "no event can be held out"),
    ],
)
def test_an_error_says_how_to_mend_the_file_and_writes_no_channel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, expected: str
) -> None:
    (tmp_path / "own.csv").write_text(content)
    assert main([str(tmp_path / "own.csv"), "--output", str(tmp_path / "out")]) == 1
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*/*"))


def test_ignored_columns_and_ids_that_end_with_0_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = RATINGS.assign(item_id=["1.0", "2.0", "1.0", "2.0", "3.0", "2.0"], colour="red")
    frame.to_csv(tmp_path / "own.csv", index=False)
    assert main([str(tmp_path / "own.csv"), "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "ignores 'colour'" in printed
    assert "every item_id ends with '.0'" in printed
