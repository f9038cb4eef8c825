"""Spark and DuckDB give the same results for the same files, to the row and the byte.

`--engine spark` starts Spark here. spark-submit starts the script of AWS Glue as a cluster does, with the package as a
zip. Hadoop's connector to S3 is not on PyPI, so a mount point of Hadoop replaces it under s3://. The project's own
requests to S3 are served by a real server.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from random import Random

import pytest
from support.job import ROOT
from support.raw import DAY, START, Prepare, Raw, Result, Review, item, json_lines

from infra.local.s3 import S3Server
from recommender.synthetic.generate import generate
from recommender.synthetic.write import METADATA_FILE, REVIEWS_FILE, write_raw

pytestmark = [pytest.mark.slow, pytest.mark.real_component]

GLUE = ROOT / "infra" / "glue"
TIMEOUT = 300
BROKEN = b'not json\n\n{"user_id": "\xff"}\r\n{"rating": 9}\n'


def assert_same(spark: Result, duckdb: Result) -> None:
    assert spark.channels == duckdb.channels
    for channel in duckdb.channels:
        ours, theirs = duckdb.table(channel), spark.table(channel)
        assert list(zip(theirs.schema.names, theirs.schema.types, strict=True)) == list(
            zip(ours.schema.names, ours.schema.types, strict=True)
        )
        assert theirs.to_pydict() == ours.to_pydict()  # also the order of the rows
    for name in ("summary.json", "summary.html", "rejects.csv"):
        assert (spark.folder / name).read_bytes() == (duckdb.folder / name).read_bytes()


def odd_reviews(count: int) -> list[Review]:
    """Return reviews with unusual user IDs, repeated items, equal times and half stars."""
    users = ["ü", "日本", "a b", "A", "a", "\u0000", "😀", "~", "é", "e\u0301"]
    random = Random(0)
    return [
        Review(
            user=random.choice(users),
            item=f"i{random.randrange(23)}",
            rating=random.randrange(2, 11) / 2,
            time=START + random.randrange(5) * DAY,
            verified=random.random() > 0.1,
            parent=f"i{random.randrange(9)}",
        )
        for _ in range(count)
    ]


def write_odd(raw: Raw) -> list[str]:
    """Write several kinds of raw files, with good, empty and bad lines; return the arguments with their locations."""
    lines = json_lines([review.raw() for review in odd_reviews(200)])
    raw.write("several files/ä 1.jsonl", b"\xef\xbb\xbf" + lines[: len(lines) // 2] + b"cut\n" + BROKEN)
    raw.write("several files/b.jsonl.gz", BROKEN + lines[lines.index(b"\n", len(lines) // 2) + 1 :].strip())
    titles = ["Ünïcode 日本", None, "", 'a "quoted", one\n', "x" * 3_000]
    rows = [item(f"i{number}", titles[number % 5]) for number in range(20)] + [item("i0", "another"), item("i1", "")]
    raw.write("metadata.jsonl", json_lines(rows) + b'{"title": "of nothing"}\n')
    return ["--reviews", str(raw.folder / "several files"), "--metadata", str(raw.folder / "metadata.jsonl")]


def spark(*arguments: str) -> None:
    command = [sys.executable, "-m", "recommender", "prepare", "--engine", "spark", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--split leave-one-out-validation --duplicates last --item_key parent_asin --min_items 1 --seed 7",
        "--split next-basket --session_gap_hours 30 --min_items 3",
        "--split time --split_time 2020-09-15 --duplicates first --min_items 2",
    ],
    ids=["as the paper", "with validation", "next basket", "in time"],
)
def test_unusual_rows_give_the_same_results_with_spark(
    raw: Raw, prepare: Prepare, tmp_path: Path, options: str
) -> None:
    places = write_odd(raw)
    given = [*options.split(), "--max_rejects", "0.5"]
    ours = prepare(*given, places=places)
    assert len(ours.rejects) == 8
    assert {"items", "train", "test"} <= set(ours.channels)
    spark(*places, *given, "--output", str(tmp_path / "spark"))
    assert_same(Result(tmp_path / "spark"), ours)


def test_the_glue_job_gives_the_same_results_from_s3_to_s3(prepare: Prepare, tmp_path: Path, s3: S3Server) -> None:
    """Use blocks of 300 kB, so that line numbers count across several blocks of a file."""
    mount = tmp_path / "bucket"
    write_raw(generate(num_users=700, num_items=500, num_ratings=9_000), mount / "raw")
    reviews = mount / "raw" / "plain.jsonl"
    subprocess.run(["gunzip", str(mount / "raw" / REVIEWS_FILE)], check=True)
    lines = (mount / "raw" / REVIEWS_FILE.removesuffix(".gz")).read_bytes().splitlines(keepends=True)
    for place in (0, 3_000, 3_001, 8_999):
        lines[place] = b"broken at " + lines[place]
    reviews.write_bytes(b"".join(lines))
    s3.put("glue", {f"raw/{path.name}": path.read_bytes() for path in (reviews, mount / "raw" / METADATA_FILE)})

    places = ["--reviews", "s3://glue/raw/pl*.jsonl", "--metadata", f"s3://glue/raw/{METADATA_FILE}"]
    ours = prepare("--item_key", "parent_asin", places=places)
    assert [line.split(",")[1] for line in ours.rejects] == ["1", "3001", "3002", "9000"]

    submit(places, "s3://glue/out", mount, tmp_path)
    s3.download("glue", "out", mount / "out")  # next to the files that Spark wrote there
    assert_same(Result(mount / "out"), ours)


def submit(places: list[str], output: str, mount: Path, tmp_path: Path) -> None:
    package = tmp_path / "recommender.zip"
    with zipfile.ZipFile(package, "w") as file:
        for path in sorted((ROOT / "recommender").rglob("*")):
            if path.suffix in {".py", ".html", ".css"}:
                file.write(path, path.relative_to(ROOT))
    settings = {
        "spark.sql.files.maxPartitionBytes": "300000",
        "spark.sql.shuffle.partitions": "3",
        "spark.ui.enabled": "false",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
        "spark.hadoop.fs.viewfs.mounttable.glue.linkFallback": f"file://{mount}",
    }
    given = [argument for name, value in settings.items() for argument in ("--conf", f"{name}={value}")]
    glue_arguments = ["--JOB_ID", "j_1", "true", "--JOB_NAME", "recommender-prepare", "--TempDir", "s3://glue/tmp"]
    command = [
        *(str(Path(sys.executable).with_name("spark-submit")), "--master", "local[2]", *given),
        *("--py-files", str(package), str(GLUE / "prepare.py"), *glue_arguments),
        *(*places, "--output", output, "--item_key=parent_asin"),
    ]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert result.returncode == 0, result.stderr
