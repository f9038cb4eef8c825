"""Weights of events: by row, by type, or both."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.files import SUFFIXES, Columns, encoded
from support.job import Job

from recommender.data.event_types import parse_event_weights
from recommender.data.frames import checked_events
from recommender.data.options import EventOptions
from recommender.errors import DataError

EVENTS: Columns = {
    "user_id": ["u", "u", "v", "v", "w"],
    "item_id": ["a", "b", "a", "c", "c"],
    "event_type": ["view", "purchase", "view", "cart", "purchase"],
    "weight": [1, 2.5, 0, 3, 4],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("columns", "event_weights", "expected"),
    [
        ((), "", [("u", "a"), ("u", "b"), ("v", "a"), ("v", "c"), ("w", "c")]),
        (("event_type",), "", [("u", "a"), ("u", "b"), ("v", "a"), ("v", "c"), ("w", "c")]),
        (("weight",), "", [("u", "a", 1), ("u", "b", 2.5), ("v", "c", 3), ("w", "c", 4)]),
        (("event_type",), "purchase=5,cart=2", [("u", "b", 5), ("v", "c", 2), ("w", "c", 5)]),
        (("event_type", "weight"), "purchase=5,view=0.5", [("u", "a", 0.5), ("u", "b", 12.5), ("w", "c", 20)]),
        (("event_type",), "purchase=5,view=0", [("u", "b", 5), ("w", "c", 5)]),
    ],
)
def test_the_weight_of_an_event_is_multiplied_by_that_of_its_type(
    job: Job, suffix: str, columns: tuple[str, ...], event_weights: str, expected: list[object]
) -> None:
    table = {name: EVENTS[name] for name in ("user_id", "item_id", *columns)}
    job.write(f"train/a{suffix}", encoded(table, suffix))
    options = {"event_weights": event_weights}
    frame = job.events(options)
    assert list(frame.itertuples(index=False, name=None)) == expected
    assert frame.index.tolist() == list(range(len(expected)))
    given = checked_events("events", pd.DataFrame(table), EventOptions.model_validate(options))
    pd.testing.assert_frame_equal(given, frame)


def test_left_out_events_are_reported_once_per_channel(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        job.write(f"train/{name}.csv", encoded(EVENTS, ".csv"))
    assert len(job.events({"event_weights": "cart=1"})) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(
        "a.csv and 1 other files: events of types that event_weights does not name are left out: 4 'view', 4 'purchase'"
    )
    job.events({})
    assert "2 events of weight 0 are left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("event_weights", "columns", "expected"),
    [
        ("buy=1", "", "expected event_weights to name at least one event type of the data; the types are 'view', "),
        ("view=1", "weight=nothing", "column 'nothing' is missing, which --columns gives for weight; the file has"),
        ("view=1", "event_type=kind", "column 'kind' is missing, which --columns gives for event_type; the file has"),
        ("", "event_type=kind", "column 'kind' is missing, which --columns gives for event_type; the file has"),
    ],
)
def test_weights_that_fit_no_event_are_refused(job: Job, event_weights: str, columns: str, expected: str) -> None:
    content = encoded(EVENTS, ".csv")
    assert job.problem("a.csv", content, event_weights=event_weights, columns=columns).startswith(expected)


def test_weights_of_event_types_need_the_column_event_type(job: Job) -> None:
    table = {"user_id": ["u"], "item_id": ["i"], "event": ["view"]}
    for suffix in (".csv", ".parquet"):
        assert job.problem(f"a{suffix}", encoded(table, suffix), event_weights="view=1") == (
            "column 'event_type' is missing, which event_weights needs; the file has 'user_id', 'item_id', 'event'; "
            "perhaps --columns event_type=event"
        )
        (job.base_dir / f"input/data/train/a{suffix}").unlink()
    assert job.problem("a.jsonl", encoded(table, ".jsonl"), event_weights="view=1").endswith(
        "got nothing; the line has 'user_id', 'item_id', 'event'; perhaps --columns event_type=event"
    )


def test_a_channel_of_only_weight_0_is_refused(job: Job) -> None:
    table: Columns = {"user_id": ["u"], "item_id": ["i"], "weight": [0], "event_type": ["view"]}
    job.write("train/a.csv", encoded(table, ".csv"))
    for event_weights in ("", "view=1"):
        with pytest.raises(DataError, match=r"a\.csv: expected at least one event with a weight above 0, got none"):
            job.events({"event_weights": event_weights})


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("weight", [-1, 1_000_001, "heavy"])
def test_a_weight_out_of_range_is_named(job: Job, suffix: str, weight: object) -> None:
    table: Columns = {"user_id": ["u"], "item_id": ["i"], "weight": [weight]}
    message = job.problem(f"a{suffix}", encoded(table, suffix))
    assert "column 'weight': expected a number from 0 to 1,000,000, got " in message


@given(st.dictionaries(st.text("abc_ é", min_size=1).map(str.strip).filter(bool), st.integers(1, 1_000_000)))
def test_weights_of_event_types_are_parsed_from_text(weights: dict[str, float]) -> None:
    assert parse_event_weights(" , ".join(f"{name} = {weight}" for name, weight in weights.items())) == weights


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("purchase", "expected pairs such as purchase=5,view=1, with weights from 0 to 1,000,000"),
        ("purchase=5,", "expected pairs"),
        ("=5", "expected pairs"),
        ("purchase=five", "expected pairs"),
        ("purchase=-1", "expected pairs"),
        ("purchase=1000001", "expected pairs"),
        ("purchase=nan", "expected pairs"),
        ("purchase=1_0", "expected pairs"),
        ("purchase=1e999", "expected pairs"),
        ("view=1,view=2", "expected each type once, got 'view' twice"),
        ("view=0", "expected at least one weight above 0"),
    ],
)
def test_malformed_weights_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        EventOptions(event_weights=text)
