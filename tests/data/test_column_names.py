"""Columns with other names than ours."""

import shlex

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.files import SUFFIXES, Columns, encoded
from support.job import Job

from recommender.data.column_names import COMMON, NAMES, as_option, likely_columns, parse_columns
from recommender.data.frames import checked_events, checked_items
from recommender.data.options import EventOptions
from recommender.errors import DataError

OTHERS: Columns = {
    "visitor": ["u", "v"],
    "thing": ["a", "b"],
    "stars": [1, 5],
    "when": [3, 4],
    "event_type": ["x", "y"],
}
COLUMNS = "user_id=visitor, item_id=thing,rating=stars,timestamp=when"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_are_found_by_their_given_names(job: Job, suffix: str) -> None:
    job.write(f"train/a{suffix}", encoded(OTHERS, suffix))
    frame = job.events({"columns": COLUMNS})
    assert frame.to_dict("list") == {
        "user_id": ["u", "v"],
        "item_id": ["a", "b"],
        "rating": [1, 5],
        "timestamp": [3, 4],
    }
    options = EventOptions(columns=COLUMNS)
    pd.testing.assert_frame_equal(checked_events("events", pd.DataFrame(OTHERS), options), frame)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_titles_are_found_by_their_given_names(job: Job, suffix: str) -> None:
    table = {"thing": ["a", "b"], "name": ["Red shirt", ""]}
    job.write(f"items/a{suffix}", encoded(table, suffix))
    columns = COLUMNS + ",title=name"
    titles = job.titles(columns=columns)
    assert titles.to_dict("list") == {"item_id": ["a", "b"], "title": ["Red shirt", ""]}
    given = checked_items("titles", pd.DataFrame(table), EventOptions(columns=columns))
    pd.testing.assert_frame_equal(given, titles)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_given_column_must_exist(job: Job, suffix: str) -> None:
    message = job.problem(f"a{suffix}", encoded(OTHERS, suffix), columns=COLUMNS.replace("when", "then"))
    assert "column 'then'" in message
    assert "has 'visitor', 'thing', 'stars', 'when', 'event_type'" in message
    job.write(f"items/a{suffix}", encoded({"thing": ["a"], "name": [""]}, suffix))
    with pytest.raises(
        DataError, match=r"column 'label'.*has 'thing', 'name'; perhaps --columns item_id=thing,title=name"
    ):
        job.titles(columns="item_id=thing,title=label")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_an_error_names_the_column_as_the_file_does(job: Job, suffix: str) -> None:
    message = job.problem(f"a{suffix}", encoded({**OTHERS, "stars": [1, 6]}, suffix), columns=COLUMNS)
    assert "2" in message.partition(", column 'stars': expected a number from 1 to 5, got ")[0]


def test_a_column_given_to_one_name_is_not_read_for_another(job: Job) -> None:
    job.write("train/a.csv", "user_id,item_id,rating\nu,i,7\n")
    assert job.events({"columns": "weight=rating"}).to_dict("list") == {
        "user_id": ["u"],
        "item_id": ["i"],
        "weight": [7],
    }


def test_two_columns_may_swap_names(job: Job) -> None:
    job.write("train/a.csv", "user_id,item_id\nu,i\n")
    frame = job.events({"columns": "user_id=item_id,item_id=user_id"})
    assert frame.to_dict("list") == {"user_id": ["i"], "item_id": ["u"]}


@pytest.mark.parametrize(
    ("header", "option"),
    [
        ("timestamp,visitorid,event,itemid", "--columns user_id=visitorid,item_id=itemid"),
        ("User_ID,PRODUCT_ID,Time", "--columns user_id=User_ID,item_id=PRODUCT_ID,timestamp=Time"),
        (
            "InvoiceDate,Customer ID,StockCode",
            "--columns 'user_id=Customer ID,item_id=StockCode,timestamp=InvoiceDate'",
        ),
        ("reviewerID,asin,parent_asin,overall", "--columns user_id=reviewerID,item_id=parent_asin,rating=overall"),
        ("customer_id,user,article_id", "--columns user_id=user,item_id=article_id"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_error_suggests_names_that_fit(job: Job, suffix: str, header: str, option: str) -> None:
    message = job.problem(f"a{suffix}", encoded({name: ["1"] for name in header.split(",")}, suffix))
    assert "user_id" in message
    assert message.endswith(f"; perhaps {option}")


def test_the_error_keeps_given_names_and_suggests_none_for_unknown_ones(job: Job) -> None:
    assert job.problem("a.csv", "who,sku\nu,i\n", columns="user_id=who") == (
        "column 'item_id' is missing; the file has 'who', 'sku'; perhaps --columns user_id=who,item_id=sku"
    )
    assert job.problem("a.csv", "who,what\nu,i\n") == (
        "column 'user_id' is missing; the file has 'who', 'what'; name --columns user_id=...,item_id=..."
    )


def test_a_message_suggests_an_optional_column_with_another_name(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        job.write(f"train/{name}.csv", "user_id,item_id,stars,date\nu,i,4,2018-09-20\n")
    assert job.events({}).columns.tolist() == ["user_id", "item_id"]
    ignored, line = capsys.readouterr().out.splitlines()
    assert ignored.endswith("a.csv: reads 'user_id', 'item_id'; ignores 'stars', 'date'")
    assert line.endswith(
        "a.csv has no column rating or timestamp: if they have other names, set --columns rating=stars,timestamp=date"
    )
    job.events({"columns": "rating=stars,timestamp=date"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_id", "'user_id' is no such pair: the names before '=' are user_id, item_id, rating, "),
        ("time=x", "write timestamp=x"),
        ("Kunde=user_id", "write user_id=Kunde"),
        ("user=visitor", "expected pairs"),
        ("user_id=", "expected pairs"),
        ("=visitor", "expected pairs"),
        ("user_id=visitor,", "expected pairs"),
        ("user_id=a,user_id=b", "expected each name once, got user_id twice"),
        ("user_id=a,item_id=a", "expected a different column for each name, got 'a' for two"),
        ("user_id=item_id", "expected a different column for each name, got 'item_id' for two"),
    ],
)
def test_malformed_columns_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        EventOptions(columns=text)


names = st.text(st.characters(exclude_characters=",", exclude_categories=["C", "Z"]), min_size=1, max_size=9)


@given(st.dictionaries(st.sampled_from(NAMES), names.filter(lambda name: name not in NAMES)))
def test_a_suggested_option_parses_to_its_columns(columns: dict[str, str]) -> None:
    if len(set(columns.values())) == len(columns):
        option, text = shlex.split(as_option(columns))
        assert option == "--columns"
        assert parse_columns(text) == columns


@given(st.lists(st.sampled_from(sorted({name for names in COMMON.values() for name in names})), unique=True))
def test_no_column_is_suggested_twice(found: list[str]) -> None:
    likely = likely_columns(NAMES, found, [])
    assert len(set(likely.values())) == len(likely)
    assert set(likely.values()) <= set(found)
    parse_columns(",".join(f"{name}={column}" for name, column in ({"user_id": "x", "item_id": "y"} | likely).items()))
