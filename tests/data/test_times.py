"""Times in a channel: numbers, or dates and times."""

from datetime import UTC, date, datetime, timedelta, timezone
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import SUFFIXES, encoded, one_row, parquet
from support.job import Job

from recommender.data.channels import read_events
from recommender.data.clock import LAST_YEAR, parse_time
from recommender.data.frames import checked_events
from recommender.data.interactions import Interactions
from recommender.data.iso_times import milliseconds_of
from recommender.data.options import EventOptions
from recommender.data.sources import open_channel
from recommender.errors import DataError

OPTIONS = EventOptions()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GOOD = {
    "2018-09-20": 1_537_401_600_000,
    "2018-09-20T10:11": 1_537_438_260_000,
    "2018-09-20 10:11:12": 1_537_438_272_000,
    "2018-09-20T10:11:12Z": 1_537_438_272_000,
    "2018-09-20 10:11:12 UTC": 1_537_438_272_000,
    "2018-09-20T10:11:12.5": 1_537_438_272_500,
    "2018-09-20T10:11:12,987654321Z": 1_537_438_272_987,
    "2018-09-20T12:41:12.5+02:30": 1_537_438_272_500,
    "2018-09-20T12:41:12.5+0230": 1_537_438_272_500,
    "2018-09-20 08:11:12-02": 1_537_438_272_000,
    "2020-02-29": 1_582_934_400_000,
    "1970-01-01": 0,
    "1969-12-31T23:59:59.999Z": -1,
    "0001-01-01": -62_135_596_800_000,
}
BAD = [
    *("2018-13-40", "2018-02-29", "2018-00-01", "2018-01-00", "2018-04-31", "1900-02-29", "0000-01-01", "5001-01-01"),
    *("2018-09-20T24:00", "2018-09-20T10:60", "2018-09-20T10:11:60", "2018-09-20T10", "2018-09-20T10:11+24:00"),
    *("2018-09-20T10:11+02:60", "2018-09-20Z", "2018-09-20 ", " 2018-09-20", "2018-09-20\n", "2018-9-20", "20.09.2018"),
    *(
        "09/20/2018",
        "18-09-20",
        "yesterday",
        "",
        "\u0662018-09-20",
        "2018-09-20T10:11:12.",
        "2018-09-20T10:11:12.1234567890",
    ),
]

moments = st.datetimes(datetime(1, 1, 2), datetime(LAST_YEAR, 12, 30))
zones = st.none() | st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda ahead: timezone(timedelta(minutes=ahead)))
texts = st.builds(
    lambda moment, zone, separator: moment.replace(tzinfo=zone).isoformat(separator),
    moments,
    zones,
    st.sampled_from("T "),
)


@pytest.mark.parametrize(("text", "expected"), GOOD.items())
def test_a_date_or_time_becomes_milliseconds(text: str, expected: int) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize("text", BAD)
def test_a_text_that_is_no_date_or_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a date or time such as 2018-09-20 or 2018-09-20T10:11:12Z"):
        parse_time(text)


@given(texts)
def test_a_time_is_parsed_as_by_python(text: str) -> None:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    assert parse_time(text) == (moment - EPOCH) // timedelta(milliseconds=1)


@given(st.lists(texts | st.sampled_from(BAD) | st.sampled_from(list(GOOD)) | st.text("0123456789-T:.Z +", max_size=25)))
def test_many_texts_at_once_are_parsed_like_single_ones(some: list[str]) -> None:
    milliseconds, good = milliseconds_of(pa.array([*some, None], pa.large_string()))
    for text, found, is_good in zip(some, milliseconds.tolist(), good.tolist(), strict=False):
        try:
            assert (parse_time(text), True) == (found, is_good)
        except ValueError:
            assert not is_good
    assert not good[-1]


def events(times: list[object]) -> dict[str, list[object]]:
    return {"user_id": ["u"] * len(times), "item_id": [f"i{row}" for row in range(len(times))], "timestamp": times}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dates_and_times_are_read_from_every_format(job: Job, suffix: str) -> None:
    job.write(f"train/a{suffix}", encoded(events(list(GOOD)), suffix))
    frame = job.ratings()
    assert frame["timestamp"].tolist() == list(GOOD.values())
    assert frame["timestamp"].dtype == np.int64
    pd.testing.assert_frame_equal(checked_events("events", pd.DataFrame(events(list(GOOD))), OPTIONS), frame)


@given(st.lists(st.integers(10**11, parse_time("5000-12-31")), min_size=1, max_size=9))
def test_times_and_their_milliseconds_give_the_same_interactions(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("channel")
    iso = [(EPOCH + timedelta(milliseconds=time)).isoformat() for time in times]
    found = []
    for values in (times, iso):
        found.append(checked_events("events", pd.DataFrame(events(list(values))), OPTIONS))
        for suffix in (".csv", ".jsonl", ".parquet"):
            (folder / f"a{suffix}").write_bytes(encoded(events(list(values)), suffix))
            with open_channel(folder / f"a{suffix}") as files:
                found.append(read_events(files, OPTIONS))
    first, *others = map(Interactions.from_frame, found)
    for other in others:
        for name in ("user_num", "item_num", "time"):
            assert getattr(first, name).tolist() == getattr(other, name).tolist()
        assert (first.rating, first.seconds_per_unit) == (other.rating, other.seconds_per_unit) == (None, 1e-3)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_a_date_of_parquet_becomes_milliseconds(job: Job, kind: pa.DataType) -> None:
    days = [date(2018, 9, 20), date(1960, 2, 29)]
    job.write("train/a.parquet", parquet(pa.table(events([1, 2]) | {"timestamp": pa.array(days, kind)})))
    assert job.ratings()["timestamp"].tolist() == [parse_time(day.isoformat()) for day in days]


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2018-09-20 00:00:00.0", "2018-09-21 10:00:00.5"]),
        pd.to_datetime(["2018-09-20 00:00:00.0", "2018-09-21 10:00:00.5"]).tz_localize("UTC").tz_convert("Asia/Tokyo"),
        [datetime(2018, 9, 20), datetime(2018, 9, 21, 10, 0, 0, 500_000)],
    ],
    ids=["datetime", "zone", "objects"],
)
def test_timestamps_of_a_frame_become_milliseconds(times: object) -> None:
    frame = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": times})
    found = checked_events("events", frame, OPTIONS)["timestamp"].tolist()
    assert found == [parse_time("2018-09-20"), parse_time("2018-09-21T10:00:00.5")]


@pytest.mark.parametrize(
    ("suffix", "where"), [(".csv", "row 3 below the header"), (".jsonl.gz", "line 3"), (".parquet", "row 3")]
)
@pytest.mark.parametrize("text", ["2018-13-40", "2018-02-29", "soon", "9999-12-31"])
def test_a_malformed_time_is_named(job: Job, suffix: str, where: str, text: str) -> None:
    message = job.problem(f"a{suffix}", encoded(events(["2018-09-20", "2018-09-21", text]), suffix))
    assert message == (
        f"{where}, column 'timestamp': expected a number, or a date or time such as 2018-09-20 or "
        f"2018-09-20T10:11:12Z, got '{text}'"
    )


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (
            [1, "2018-09-20", 2],
            "2{}, column 'timestamp': expected a number as in the rows before, because times must be",
        ),
        (["2018-09-20", "2018-09-21", 3], "3{}, column 'timestamp': expected a date or time as in the rows before"),
    ],
)
@pytest.mark.parametrize(("suffix", "row"), [(".csv", " below the header"), (".jsonl", "")])
def test_numbers_and_times_in_one_file_are_refused(
    job: Job, times: list[object], expected: str, suffix: str, row: str
) -> None:
    assert expected.format(row) in job.problem(f"a{suffix}", encoded(events(times), suffix))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_and_times_in_two_files_are_refused(job: Job, suffix: str) -> None:
    job.write("train/0.csv", encoded(events([5, 6]), ".csv"))
    message = job.problem(f"a{suffix}", encoded(events(["2018-09-20"]), suffix))
    assert "1" in message.partition(", column 'timestamp': expected a number, as in ")[0]
    assert message.endswith("0.csv, got a date or time; times must be all numbers or all dates")


def test_numbers_and_times_in_two_chunks_are_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.data.formats.csv_text.BYTES_AT_ONCE", 20)
    monkeypatch.setattr("recommender.data.formats.json_lines.ROWS_AT_ONCE", 2)
    for suffix, where in ((".csv", "row 3 below the header"), (".jsonl", "line 3")):
        job.base_dir.joinpath("input/data/train/a.csv").unlink(missing_ok=True)
        message = job.problem(f"a{suffix}", encoded(events(["2018-09-20", "2018-09-21", 3]), suffix))
        assert message.startswith(f"{where}, column 'timestamp': expected a date or time, as in ")
        assert message.endswith("got a number; times must be all numbers or all dates")


def test_times_of_train_and_test_must_have_one_unit() -> None:
    data = Interactions.from_frame(checked_events("events", pd.DataFrame(events(["2018-09-20"])), OPTIONS))
    for times in ([1_537_401_600], [7]):
        frame = checked_events("test", pd.DataFrame(events(list(times))), OPTIONS)
        with pytest.raises(
            DataError, match=r"expected times in one unit, got milliseconds in the training data and .* in test"
        ):
            data.check_unit_of(frame, "test")
    data.check_unit_of(checked_events("test", pd.DataFrame(events([1_600_000_000_000])), OPTIONS), "test")
    data.check_unit_of(checked_events("test", pd.DataFrame(one_row()).drop(columns="timestamp"), OPTIONS), "test")


@pytest.mark.slow
def test_a_million_times_take_about_a_second() -> None:
    times = np.random.default_rng(0).integers(0, 2 * 10**12, 1_000_000)
    texts = pa.array(np.datetime_as_string(times.astype("datetime64[ms]")).tolist(), pa.large_string())
    begin = perf_counter()
    milliseconds, good = milliseconds_of(texts)
    assert perf_counter() - begin < 5
    assert good.all()
    assert (milliseconds == times).all()


SECONDS, MILLISECONDS = 1_537_401_600, 1_537_401_600_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_seconds_and_milliseconds_in_one_channel_are_reported(
    job: Job, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    job.write(f"train/a{suffix}", encoded(events([MILLISECONDS] * 3), suffix))
    file = job.write(f"train/b{suffix}", encoded(events([MILLISECONDS, SECONDS, SECONDS]), suffix))
    assert len(job.ratings()) == 6
    row = {".csv": "row 2 below the header", ".json": "line 2", ".parq": "row 2"}[suffix[:5].removesuffix(".")]
    assert (
        f"2 of 6 times look like seconds, the first is {SECONDS} in {file}: {row}: all are read as milliseconds, the "
        "unit of the largest time; if that is wrong, convert all times to one unit\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("times", [[20180110, 20180111], [2010, 2018], [1, 2]])
def test_times_that_are_only_an_order_are_reported_with_the_first_one(
    job: Job, capsys: pytest.CaptureFixture[str], times: list[int]
) -> None:
    file = job.write("train/a.csv", encoded(events([*times]), ".csv"))
    job.ratings()
    printed = capsys.readouterr().out
    assert (
        "the times are only an order, without days and sessions: none is as large as a Unix time since 1973; "
        in printed
    )
    assert f"the first is {times[0]} in {file}: row 1" in printed
    assert "write dates as 2018-01-10" in printed


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([SECONDS, SECONDS * 10**6], ["1 of 2 times look like seconds", "read as microseconds"]),
        ([SECONDS * 10**9, MILLISECONDS], ["1 of 2 times look like milliseconds", "read as nanoseconds"]),
        ([0, SECONDS, SECONDS], ["1 of 3 times look like an order without a unit, the first is 0", "read as seconds"]),
        ([-MILLISECONDS, SECONDS], ["1 of 2 times look like seconds", "read as milliseconds"]),
        ([SECONDS, MILLISECONDS, SECONDS * 10**6], ["look like seconds", "look like milliseconds"]),
    ],
)
def test_every_mixture_of_units_is_reported(
    capsys: pytest.CaptureFixture[str], times: list[object], expected: list[str]
) -> None:
    checked_events("events", pd.DataFrame(events(times)), OPTIONS)
    out = capsys.readouterr().out
    assert [words for words in expected if words not in out] == []


@pytest.mark.parametrize("times", [[SECONDS, SECONDS + 1], [1, 2, 3], [0], ["1960-01-01", "1971-05-05", "2020-01-01"]])
def test_times_of_one_unit_and_dates_of_any_year_are_not_reported(
    capsys: pytest.CaptureFixture[str], times: list[object]
) -> None:
    checked_events("events", pd.DataFrame(events(times)), OPTIONS)
    assert "times look like" not in capsys.readouterr().out
