"""The command `prepare`: from raw files to channels, rejects and a summary."""

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.job import ROOT, Job
from support.raw import START, Prepare, Problem, Raw, Result, Review, dense_reviews, item, json_lines

from infra.local.s3 import S3Server
from recommender.cli.prepare import main
from recommender.common.files import UNFINISHED
from recommender.data.sources import open_channel
from recommender.errors import DataError
from recommender.prepare.config import PrepareConfig
from recommender.prepare.output import opened


def test_training_reads_the_channels(raw: Raw, tmp_path: Path) -> None:
    raw.write_all(dense_reviews())
    job = Job(tmp_path)
    assert main([*raw.places, "--output", str(tmp_path / "input" / "data"), "--min-items", "3"]) == 0
    result = Result(tmp_path / "input" / "data")
    assert result.channels == ["items", "test", "train"]
    assert job.ratings()[["user_id", "item_id", "rating", "timestamp"]].to_numpy().tolist() == [
        list(row) for row in result.rows("train")
    ]
    assert len(job.ratings("test")) == 6
    assert job.titles()["title"].tolist() == ["A Title"] * 6


def test_every_format_and_location_of_the_same_rows_gives_the_same_channels(
    raw: Raw, prepare: Prepare, s3: S3Server
) -> None:
    reviews = dense_reviews()
    raw.write_all(reviews)
    expected = prepare()
    first, second = json_lines([row.raw() for row in reviews[:11]]), json_lines([row.raw() for row in reviews[11:]])
    metadata = (raw.folder / "metadata.jsonl").read_bytes()
    raw.write("split/b.jsonl", first)
    raw.write("split/a/z.jsonl.gz", second)
    raw.write("odd/one.jsonl", b"\xef\xbb\xbf" + first.replace(b"\n", b"\r\n\n \n") + second[:-1])
    raw.write("odd/meta [1].jsonl", metadata)
    s3.put("raw", {"x/a.jsonl.gz": gzip.compress(first), "x/b.jsonl": second, "x/meta_a.jsonl": metadata})
    split, odd = str(raw.folder / "split"), str(raw.folder / "odd")
    for places in (
        ["--reviews", split, "--metadata", str(raw.folder / "metadata.jsonl")],
        ["--reviews", f"{split}/*.jsonl", "--reviews", f"{split}/*/z.*", "--metadata", f"{odd}/meta [[]1].jsonl"],
        ["--reviews", f"{odd}/one.jsonl", "--metadata", f"{odd}/meta [1].jsonl"],
        ["--reviews", "s3://raw/x/[ab].jsonl*", "--metadata", "s3://raw/x/meta_*"],
        ["--reviews", "s3://raw/x/a.jsonl.gz", "--reviews", "s3://raw/*/b.jsonl", "--metadata", "s3://raw/x/meta_a.jsonl"],
    ):  # fmt: skip
        result = prepare(places=places, output="other")
        for channel in expected.channels:
            assert result.rows(channel) == expected.rows(channel), places


def test_channels_of_a_killed_run_in_s3_are_refused(raw: Raw, s3: S3Server) -> None:
    raw.write_all(dense_reviews())
    s3.put("halfway", {})
    assert main([*raw.places, "--output", "s3://halfway/x"]) == 0
    with open_channel("s3://halfway/x/train") as files:
        assert len(files) == 1
    s3.put("halfway", {f"x/{UNFINISHED}": b""})
    for place in ("s3://halfway/x/train", "s3://halfway/x/test/*.parquet", "s3://halfway/x/*/*.parquet"):
        with pytest.raises(DataError, match="expected the files of a finished run"), open_channel(place):
            pass


def test_results_can_be_written_to_s3_and_never_mix_with_other_objects(
    raw: Raw, s3: S3Server, prepare: Prepare, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    raw.write_all(dense_reviews())
    s3.put("results", {"a/other.txt": b"x", "b/train/mine.csv": b"x"})
    assert main([*raw.places, "--output", "s3://results/a/"]) == 0
    s3.download("results", "a", tmp_path / "a")
    written, local = Result(tmp_path / "a"), prepare()
    assert written.channels == local.channels
    for channel in local.channels:
        assert written.rows(channel) == local.rows(channel)
    assert written.summary == local.summary
    assert "<svg" in (written.folder / "summary.html").read_text()
    capsys.readouterr()
    for prefix, found in (("a", "a/"), ("b", "b/train/mine.csv")):
        assert main([*raw.places, "--output", f"s3://results/{prefix}"]) == 1
        assert f"s3://results/{found}" in (message := capsys.readouterr().err)
        assert "already exists: remove it, or choose another --output" in message
    assert main([*raw.places, "--output", "s3://nowhere/x"]) == 1
    assert "s3://nowhere/x/train: this bucket does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(("item_key", "items"), [("asin", {"a", "b"}), ("parent_asin", {"b", "p"})])
def test_item_key_selects_the_asin_or_the_parent_asin(
    raw: Raw, prepare: Prepare, item_key: str, items: set[str]
) -> None:
    reviews = [Review("u", "a", parent="p"), Review("u", "b"), Review("u", "unknown", parent="p")]
    raw.write_all(reviews, items=["a", "b", "p"])
    result = prepare("--item_key", item_key, "--min_items", "1")
    assert {row[1] for row in result.rows("train")} == items


def test_a_title_is_that_of_the_metadata_or_empty(raw: Raw, prepare: Prepare) -> None:
    titles = {"a": None, "b": ' "Wörter", 日本\n', "c": "", "d": "x" * 3_000}
    raw.write_all([Review("u", asin) for asin in "abcdef"], items=[])
    rows = [item(asin, title) for asin, title in titles.items()]
    rows += [item("e", None), item("e", "Late"), item("e", "Early"), item("e", ""), {"parent_asin": "f"}, item("g")]
    raw.write("metadata.jsonl", json_lines(rows))
    assert prepare().titles == {**titles, "a": "", "d": "x" * 2_001, "e": "Late", "f": ""}
    assert prepare().summary["items_without_title"] == 3


def test_counts_and_histograms_are_those_of_the_rows(raw: Raw, prepare: Prepare) -> None:
    reviews = [
        *dense_reviews(),
        Review("u0", "i1", 2.0, START, verified=False),
        Review("u9", "gone"),
        Review("u9", "i1"),
    ]
    raw.write_all(reviews, items=[f"i{number}" for number in range(9)])
    summary = prepare().summary
    assert [(step["name"], step["reviews"], step["users"], step["items"]) for step in summary["steps"]] == [
        ("read", 33, 7, 7),
        ("of verified purchases", 32, 7, 7),
        ("of items in the metadata", 31, 7, 6),
        ("of users with at least 5 unique items", 30, 6, 6),
    ]
    assert summary["users_by_items"] == [[1, 1], [5, 6]]
    train = prepare().rows("train")
    of_items = Counter(Counter(row[1] for row in train).values())
    assert summary["items_by_reviews"] == [[reviews, of_items[reviews]] for reviews in sorted(of_items)]
    stars = Counter(int(row[2]) for row in train)
    assert summary["reviews_by_rating"]["train"] == [[star, stars[star]] for star in sorted(stars)]
    by_name = {row["name"]: row for row in summary["datasets"]}
    assert by_name["ratings"] == {
        "name": "ratings", "users": 6, "items": 6, "reviews": 30, "min_items": 5, "max_items": 5, "density": 30 / 36
    }  # fmt: skip
    assert [row["name"] for row in summary["datasets"]] == ["train", "test", "ratings"]


GOOD = Review("u", "a").raw()
BAD = {
    "not json": "expected one JSON object",
    "[1]": "expected one JSON object",
    json.dumps(GOOD) * 2: "expected one JSON object",
    json.dumps(GOOD)[:-1]: "expected one JSON object",
    "[" * 100_000: "expected one JSON object",
    json.dumps({**GOOD, "user_id": None}): "user_id: expected a text of 1 to 1,000 characters",
    json.dumps({**GOOD, "user_id": ""}): "user_id: expected a text of 1 to 1,000 characters",
    json.dumps({**GOOD, "asin": "x" * 1_001}): "asin: expected a text of 1 to 1,000 characters",
    json.dumps({**GOOD, "user_id": "\ud800"}): "expected one JSON object",
    json.dumps({**GOOD, "rating": 0.5}): "rating: expected a number from 1 to 5",
    json.dumps({**GOOD, "rating": "5"}): "rating: expected a number from 1 to 5",
    json.dumps({**GOOD, "rating": float("nan")}): "expected one JSON object",
    json.dumps({**GOOD, "timestamp": 1_600_000_000}): "timestamp: expected whole milliseconds since 1970, from 1995",
    json.dumps({**GOOD, "timestamp": 10**30}): "timestamp: expected whole milliseconds since 1970, from 1995 to 2099",
    json.dumps({**GOOD, "timestamp": 1.5e12}): "timestamp: expected whole milliseconds since 1970, from 1995 to 2099",
    json.dumps({**GOOD, "verified_purchase": "true"}): "verified_purchase: expected true or false",
    json.dumps({name: value for name, value in GOOD.items() if name != "rating"}): "rating: is missing",
    " " * (2**24 + 1): "expected a line of at most 16,777,216 bytes",
}


def test_a_bad_line_is_counted_by_its_problem_and_named_with_file_and_line(raw: Raw, prepare: Prepare) -> None:
    reviews = dense_reviews()
    raw.write_all(reviews)
    good = [json.dumps(row.raw()) for row in reviews]
    lines = [line for pair in zip(good, ["", *BAD], strict=False) for line in pair] + good[len(BAD) + 1 :]
    content = "\n".join(lines).encode() + b'\n{"user_id": "\xff"}'
    path = raw.write("reviews.jsonl", content)
    meta = raw.write(
        "metadata.jsonl", (raw.folder / "metadata.jsonl").read_bytes() + b'{"parent_asin": "x", "title": 3}\n'
    )
    result = prepare("--max_rejects", "0.5")
    problems = dict(line.split(",", 2)[1:] for line in (row.replace('"', "") for row in result.rejects))
    at = {number: line for number, line in enumerate(lines, start=1) if line in BAD}
    assert len(at) == len(BAD)
    assert {int(number) for number in problems} == {*at, len(lines) + 1, 7}
    for number, line in at.items():
        assert problems[str(number)].startswith(BAD[line])
    assert problems[str(len(lines) + 1)] == "expected UTF-8"
    assert [row.split(",")[0] for row in result.rejects] == [str(meta), *[str(path)] * (len(BAD) + 1)]
    lines_of = result.summary["lines"]
    assert lines_of["reviews"]["good"] == len(reviews)
    assert sum(lines_of["reviews"]["rejected"].values()) == len(BAD) + 1
    assert lines_of["metadata"]["rejected"] == {"title: expected a text or null": 1}
    assert len(result.rows("train")) + len(result.rows("test")) == len(reviews)


def test_too_many_bad_lines_end_the_run_and_are_still_named(raw: Raw, problem: Problem, tmp_path: Path) -> None:
    raw.write_all(dense_reviews())
    path = raw.folder / "reviews.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n" * 2)
    message = problem("--max-rejects", "0.06")
    rejects = tmp_path / "out" / "rejects-of-failed-run.csv"
    assert message == (
        f"reviews: 6.2% of the lines are bad, more than --max_rejects 0.06; most often: user_id: is missing (2 lines). "
        f"See {rejects} for each bad line"
    )
    assert rejects.read_text() == f"file,line,problem\n{path},31,user_id: is missing\n{path},32,user_id: is missing\n"
    assert [found.name for found in rejects.parent.iterdir()] == ["rejects-of-failed-run.csv"]


def test_unused_fields_may_contain_anything(raw: Raw, prepare: Prepare) -> None:
    raw.write_all(dense_reviews())
    expected = prepare().rows("train")
    odd: dict[str, Any] = {
        "title": None,
        "text": 3,
        "images": {"a": [None, [[]]]},
        "helpful_vote": "many",
        "": [],
        "price": 1e300,
    }
    reviews = [row.raw() | odd for row in dense_reviews()]
    raw.write("reviews.jsonl", json_lines(reviews).replace(b'"many"', b'"\xff\xfe"'))
    assert prepare().rows("train") == expected


def test_a_second_run_replaces_all_results_of_the_first(raw: Raw, prepare: Prepare, tmp_path: Path) -> None:
    raw.write_all(dense_reviews())
    assert "validation" in prepare("--split", "leave-one-out-validation").channels
    assert prepare().channels == ["items", "test", "train"]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(
        [*["part-00000.parquet"] * 3, "rejects.csv", "summary.html", "summary.json"]
    )


@pytest.mark.parametrize("name", ["train/mine.csv", "validation/a/b.parquet", "items", "test/part-0.csv"])
def test_files_that_no_earlier_run_wrote_are_never_lost(raw: Raw, problem: Problem, tmp_path: Path, name: str) -> None:
    raw.write_all(dense_reviews())
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    first = path if path.parent.parent == tmp_path / "out" or path.parent == tmp_path / "out" else path.parent
    assert problem().startswith(f"{first}: ")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--min_items", "0"], "command line: option 'min_items': expected greater than or equal to 1, got 0"),
        (["--min_items", "six"], "command line: option 'min_items': expected a valid integer, got 'six'"),
        (["--item_key", "isbn"], "command line: option 'item_key': expected 'asin' or 'parent_asin', got 'isbn'"),
        (
            ["--split", "time"],
            "command line: options: split time needs the option split_time; other splits do not allow it",
        ),
        (
            ["--split_time", "2022-06-30"],
            "command line: options: split time needs the option split_time; other splits do not allow it",
        ),
        (["--split", "time", "--split_time", "June"], "option 'split_time': expected a date such as 2022-06-30"),
        (["--memory-limit", "lots"], "--memory-limit: expected a size such as 1GB or 500MB, got 'lots'"),
        (["--minimum", "5"], "command line: No such option '--minimum'"),
        (["--reviews", ""], "--reviews: expected a file, folder, pattern or s3:// URI, got an empty string"),
        (["--engine", "pandas"], "command line: Invalid value for '--engine'"),
        (
            ["--min_items", "6"],
            "left after the step 'of users with at least 6 unique items' (30 before it): lower --min_items 6",
        ),
        (["--metadata", "s3://"], "s3://: expected s3://bucket/prefix"),
        (["--reviews", "gone.jsonl"], "gone.jsonl: expected a folder or a file; it does not exist"),
        (["--reviews", "gone/*.jsonl"], "gone/*.jsonl: expected a folder or a file; it does not exist"),
        (["--reviews", "README.md"], "README.md: expected a name that ends in .jsonl, .jsonl.gz"),
    ],
    ids=range(15),
)
def test_an_error_is_one_line_that_says_what_was_expected(
    raw: Raw, problem: Problem, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: str
) -> None:
    monkeypatch.chdir(ROOT)
    raw.write_all(dense_reviews())
    assert expected in problem(*options)


def test_metadata_of_another_category_is_named_as_the_cause(raw: Raw, problem: Problem) -> None:
    raw.write_all(dense_reviews(), items=["of", "another"])
    assert (
        "no reviews are left after the step 'of items in the metadata' (30 before it): check that --metadata is of the"
        in problem()
    )
    raw.write_all([Review(verified=False)])
    assert "no reviews are left after the step 'of verified purchases' (1 before it)" in problem()
    raw.write("reviews.jsonl", b"\n\n")
    assert "no reviews are left after the step 'read': give --reviews files that have reviews" in problem()


def test_a_file_that_is_cut_off_or_no_gzip_ends_the_run(raw: Raw, problem: Problem) -> None:
    raw.write_all(dense_reviews())
    (raw.folder / "reviews.jsonl").unlink()
    whole = gzip.compress(json_lines([row.raw() for row in dense_reviews()]))
    path = raw.folder / "reviews.jsonl.gz"
    path.write_bytes(whole[:-20])
    assert problem() == f"{path}: can't be read: Compressed file ended before the end-of-stream marker was reached"
    path.write_bytes(b"plain text")
    assert problem().startswith(f"{path}: can't be read: Not a gzipped file")


def test_the_error_of_too_little_memory_says_what_to_do(raw: Raw, problem: Problem) -> None:
    raw.write_all(dense_reviews())
    assert "of memory or the disk space is not enough: set a higher --memory-limit" in problem("--memory-limit", "1MB")


def test_an_output_that_is_not_writable_is_named(raw: Raw, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw.write_all(dense_reviews())
    (tmp_path / "file").write_text("x")
    assert main([*raw.places, "--output", str(tmp_path / "file" / "out")]) == 1
    assert f"{tmp_path}/file/out" in capsys.readouterr().err


def killed_after(moves: int, raw: Raw, output: Path) -> None:
    """Run prepare and kill it, as a power cut would, after `moves` results were moved to the output."""
    program = f"""
import os, sys
from pathlib import Path
from recommender.cli import prepare
rename, moved = Path.rename, []

def counted(self, target):
    rename(self, target)
    moved.extend([target] if self.parent.name.startswith(".prepare-") else [])
    if len(moved) == {moves}:
        os.kill(os.getpid(), 9)

Path.rename = counted
prepare.main([*{raw.places!r}, "--output", {str(output)!r}])
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moves", range(1, 7))  # train, test, items, rejects, page and summary
def test_channels_of_a_killed_run_are_refused_until_the_next_run(
    raw: Raw, prepare: Prepare, tmp_path: Path, moves: int
) -> None:
    raw.write_all(dense_reviews())
    prepare()
    killed_after(moves, raw, tmp_path / "out")
    for channel in ("train", "items", "test", "train/*.parquet", "*"):
        place = tmp_path / "out" / channel
        with (
            pytest.raises(DataError, match=f"{re.escape(str(place))}: expected the files of a finished run"),
            open_channel(place),
        ):
            pass
    prepare()
    with open_channel(tmp_path / "out" / "train") as files:
        assert len(files) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_and_leaves_nothing_behind(
    raw: Raw, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    raw.write_all(dense_reviews())
    path = raw.folder / "reviews.jsonl"
    path.write_bytes(path.read_bytes() * 40_000)  # takes some seconds
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "recommender", "prepare", *raw.places, "--output", str(out)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(out.glob(".prepare-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert list(out.iterdir()) == []


def test_the_page_needs_no_other_files_and_escapes_file_names(raw: Raw, prepare: Prepare) -> None:
    raw.write_all(dense_reviews())
    name = "<script>alert(1)<!-- .jsonl"
    raw.write(name, (raw.folder / "reviews.jsonl").read_bytes() + b"x\n")
    places = ["--reviews", str(raw.folder / name), "--metadata", str(raw.folder / "metadata.jsonl")]
    result = prepare("--max_rejects", "1", places=places)
    page = (result.folder / "summary.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page.replace("xlink:href", "href"))
    assert "url(http" not in page
    prepare("--max_rejects", "1", places=places, output="again")
    assert (result.folder.parent / "again" / "summary.html").read_text() == page


def test_help_names_every_option_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, field in PrepareConfig.model_fields.items():
        assert f"--{name}" in text
        expected = f"[default: {field.default}]" if field.default is not None else str(field.description)[-20:]
        assert expected in " ".join(text.split())
    assert "[default: None]" not in text


@pytest.mark.parametrize("again", ["reviews.jsonl", "metadata.jsonl", "*.jsonl"])
def test_a_file_that_is_given_twice_is_named_and_not_counted_twice(raw: Raw, problem: Problem, again: str) -> None:
    raw.write_all(dense_reviews())
    assert "expected once in --reviews and --metadata together, got it more than once" in problem(
        places=[*raw.places, "--metadata", str(raw.folder / again)]
    )


def test_a_failed_run_keeps_the_results_of_an_earlier_run(raw: Raw, prepare: Prepare, tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    raw.write_all(dense_reviews())
    prepare()
    before = contents()
    path = raw.folder / "reviews.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n" * 5)
    assert main([*raw.places, "--output", str(tmp_path / "out")]) == 1
    failed = str(tmp_path / "out" / "rejects-of-failed-run.csv")
    after = contents()
    assert after.pop(failed).count(b"\n") == 6
    assert after == before
    raw.write_all(dense_reviews())
    prepare()
    assert contents() == before


def test_a_second_run_into_the_same_folder_is_refused_by_name(
    raw: Raw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw.write_all(dense_reviews())
    with opened(str(tmp_path / "out"), engine_writes_s3=False) as first:
        (first.staging / "rejects.csv").write_text("of the first run")
        assert main([*raw.places, "--output", str(tmp_path / "out")]) == 1
        assert (first.staging / "rejects.csv").read_text() == "of the first run"
    assert f"{tmp_path / 'out'}: another job is at work on this folder" in capsys.readouterr().err


def test_leftovers_of_a_killed_run_are_removed_by_the_next_run(raw: Raw, prepare: Prepare, tmp_path: Path) -> None:
    raw.write_all(dense_reviews())
    left = tmp_path / "out" / ".prepare-abc" / "spilled"
    left.mkdir(parents=True)
    (left / "x").write_bytes(b"x")
    prepare()
    assert not left.parent.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_while_the_engine_works(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Run a query of many seconds, during which DuckDB does not return to Python."""
    program = f"""
import os, signal, sys, threading, time
from pathlib import Path
from recommender.cli import prepare as command
from recommender.prepare.duckdb_engine import DuckDBEngine

def prepare(**_):
    with DuckDBEngine(Path({str(tmp_path)!r}), "200MB") as engine:
        threading.Timer(0.5, os.kill, (os.getpid(), {int(number)})).start()
        list(engine.rows("SELECT count(*) FROM range(100000000000) AS numbers WHERE hash(range) % 7 = 1"))

command.prepare = prepare
sys.exit(command.main(["--reviews", "x", "--metadata", "x", "--output", "x"]))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr.strip()) == (code, "")


def test_a_split_time_without_reviews_before_or_after_it_is_reported(
    raw: Raw, prepare: Prepare, problem: Problem, capsys: pytest.CaptureFixture[str]
) -> None:
    raw.write_all(dense_reviews())
    assert prepare("--split", "time", "--split_time", "2090-01-01").channels == ["items", "train"]
    assert "no review is held out for test" in capsys.readouterr().out
    assert "or set a later --split_time than 1999-01-01" in problem("--split", "time", "--split_time", "1999-01-01")
