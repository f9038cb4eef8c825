"""Files with the columns of real shops and public data sets; the values are invented."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from recommender.data.channels import read_events
from recommender.data.interactions import Interactions
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import DataError

FILES = Path(__file__).with_name("files")


def read(name: str, **options: object) -> pd.DataFrame:
    with open_channel(FILES / name) as files:
        return read_events(files, EventOptions.model_validate(options))


def milliseconds(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]  # year, month, day


def test_clicks_and_purchases_are_events_without_ratings() -> None:
    frame = read("retailrocket_events.csv", columns="user_id=visitorid,item_id=itemid")
    assert frame.columns.tolist() == ["user_id", "item_id", "timestamp"]
    data = Interactions.from_frame(frame)
    assert (len(data), data.rating, data.weight, data.seconds_per_unit) == (6, None, None, 1e-3)


def test_events_get_the_weight_of_their_type(capsys: pytest.CaptureFixture[str]) -> None:
    columns = "user_id=visitorid,item_id=itemid,event_type=event"
    frame = read("retailrocket_events.csv", columns=columns, event_weights="transaction=5,addtocart=2.5")
    assert frame[["user_id", "item_id", "weight"]].to_numpy().tolist() == [
        ["992329", "248676", 2.5],
        ["992329", "248676", 5.0],
        ["111016", "318965", 5.0],
    ]
    assert "events.csv: events of types that event_weights does not name are left out: 3 'view'\n" in (
        capsys.readouterr().out
    )
    pairs = Interactions.from_frame(frame).pairs()
    assert pairs.weight is not None
    assert pairs.weight.tolist() == [5, 5]


def test_dates_of_purchases_become_milliseconds() -> None:
    frame = read("hm_transactions.csv", columns="user_id=customer_id,item_id=article_id,timestamp=t_dat")
    days = [(2018, 9, 20), (2018, 9, 20), (2018, 9, 21), (2020, 2, 29)]
    assert frame["timestamp"].tolist() == [milliseconds(*day) for day in days]
    assert frame["item_id"].tolist() == ["0663713001", "0541518023", "0505221004", "0663713001"]
    assert Interactions.from_frame(frame).seconds_per_unit == 1e-3


def test_a_rating_below_the_range_names_rating_min() -> None:
    columns = "user_id=userId,item_id=movieId"
    frame = read("movielens_ratings.csv", columns=columns, rating_min=0.5)
    assert frame["rating"].tolist() == [5, 3.5, 0.5, 4.5]
    assert Interactions.from_frame(frame).seconds_per_unit == 1
    with pytest.raises(
        DataError,
        match=r"row 3 below the header, column 'rating': expected a number from 1 to 5, got '0\.5'; to allow it, set "
        "the hyper-parameter --rating_min to 0.5$",
    ):
        read("movielens_ratings.csv", columns=columns)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("retailrocket_events.csv", "user_id=visitorid,item_id=itemid"),
        ("hm_transactions.csv", "user_id=customer_id,item_id=article_id,timestamp=t_dat"),
        ("movielens_ratings.csv", "user_id=userId,item_id=movieId"),
    ],
)
def test_the_error_without_columns_suggests_the_right_ones(name: str, option: str) -> None:
    with pytest.raises(DataError, match=f"column 'user_id' is missing; the file has .*; perhaps --columns {option}$"):
        read(name)
    assert len(read(name, columns=option, rating_min=0.5)) > 3
