"""Locations of a channel's files: folders, files, patterns, and S3 on a real server."""

import os
import socket
from pathlib import Path

import pytest
from support.files import SUFFIXES, Columns, encoded
from support.job import Job

from infra.local.s3 import S3Server
from recommender.data.channels import read_events
from recommender.data.options import EventOptions
from recommender.data.sources import CONTENT_TYPES, Format, names_in_channel, open_channel
from recommender.errors import DataError

CSV = b"user_id,item_id,rating\nu,i,3\n"


def rows_of(location: str | Path, content_type: str | None = None) -> list[list[object]]:
    with open_channel(location, content_type) as files:
        return read_events(files, EventOptions()).to_numpy().tolist()


def names_of(location: str | Path, content_type: str | None = None) -> list[str]:
    with open_channel(location, content_type) as files:
        return [file.name for file in files]


def problem_of(location: str | Path, content_type: str | None = None) -> str:
    with pytest.raises(DataError) as error, open_channel(location, content_type):
        pass
    message = str(error.value)
    assert message.isprintable()
    return message


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(CSV)


def test_a_folder_gives_its_files_at_any_depth_in_order_without_hidden_ones(tmp_path: Path) -> None:
    write(tmp_path, "b.csv", "a/z.csv", "a-b/y.csv", "_SUCCESS", ".hidden.csv", "_temporary/x.csv", "a/.git/c.csv")
    assert names_of(tmp_path) == [str(tmp_path / name) for name in ("a/z.csv", "a-b/y.csv", "b.csv")]


# Table format -> a file of its log.
LOGS = {
    "Delta Lake": "_delta_log/00000000000000000000.json",
    "Apache Hudi": ".hoodie/hoodie.properties",
    "Apache Iceberg": "metadata/00000-1b.metadata.json",
    "Apache Paimon": "snapshot/snapshot-1",
}
OTHER_LOGS = {
    "data/_delta_log/00000000000000000010.checkpoint.parquet": "Delta Lake",
    "metadata/v3.gz.metadata.json": "Apache Iceberg",
    "metadata/version-hint.text": "Apache Iceberg",
    "a/b/metadata/v1.metadata.json": "Apache Iceberg",
    "part=1/.hoodie_partition_metadata": "Apache Hudi",
}
REFUSED = (
    "expected plain data files, got a table of {}, and only its log says which files count: export the current "
    "snapshot as plain Parquet or CSV into a separate folder"
)


@pytest.mark.parametrize(("log", "table"), [*((log, table) for table, log in LOGS.items()), *OTHER_LOGS.items()])
def test_a_table_with_a_log_is_refused_by_name(tmp_path: Path, log: str, table: str) -> None:
    write(tmp_path, "data/a.csv", "data/part=1/b.csv", log)
    assert problem_of(tmp_path) == f"{tmp_path}: {REFUSED.format(table)}"


@pytest.mark.parametrize(("table", "log"), LOGS.items())
@pytest.mark.parametrize("part", ["data", "data/part=1", "data/a.csv", "data/*.csv", "*/part=*/*.csv"])
def test_a_part_of_a_table_with_a_log_is_refused(tmp_path: Path, s3: S3Server, table: str, log: str, part: str) -> None:
    names = ("data/a.csv", "data/part=1/b.csv", log)
    write(tmp_path, *names)
    assert problem_of(tmp_path / part) == f"{tmp_path / part}: {REFUSED.format(table)}"
    s3.put("lake", {f"{table}/t/{name}": CSV for name in names})
    for location in (f"s3://lake/{table}/t/{part}", f"s3://lake/{table}/t", f"s3://lake/{table}"):
        assert problem_of(location) == f"{location}: {REFUSED.format(table)}"


def test_folders_with_the_name_of_a_log_but_other_files_are_read(tmp_path: Path, s3: S3Server) -> None:
    names = ("metadata/a.csv", "snapshot/b.csv", "data/c.csv")
    write(tmp_path, *names)
    assert len(rows_of(tmp_path)) == 3
    assert len(rows_of(tmp_path / "data")) == 1
    s3.put("plain", dict.fromkeys(names, CSV))
    assert len(rows_of("s3://plain/")) == 3
    assert len(rows_of("s3://plain/data/c.csv")) == 1


def test_an_empty_log_of_delta_lake_is_refused_too(tmp_path: Path) -> None:
    write(tmp_path, "a.csv")
    (tmp_path / "_delta_log").mkdir()
    assert "a table of Delta Lake" in problem_of(tmp_path)


@pytest.mark.parametrize("name", ["_delta_log/0.json", ".hoodie/x", "metadata/v1.metadata.json"])
def test_prepare_refuses_a_table_as_raw_files(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a.jsonl", name)
    with pytest.raises(DataError, match=r"got a table of "):
        names_in_channel(str(tmp_path), {Format.JSON_LINES})


SIDE_FILES = (
    *("_SUCCESS", ".a.csv.crc", "a.csv.crc", "part=1_$folder$", "x.csv.metadata", "manifest", "unload_manifest"),
    *("0000.manifest", "manifest.json", "a.csv.sha256", "_committed_123", "_started_123", ".DS_Store", "Thumbs.db"),
    *("._a.csv", "__MACOSX/a.csv", "sub/_temporary/0/a.parquet", "sub/.a.csv.crc"),
)


def test_markers_checksums_and_lists_of_files_are_skipped_and_reported(
    tmp_path: Path, s3: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a.csv", "sub/b.csv", *SIDE_FILES)
    assert len(rows_of(tmp_path, "text/csv")) == 2
    assert f"{tmp_path}: 18 markers, checksums or lists of files are skipped: " in capsys.readouterr().out
    s3.put("sides", {f"t/{name}": CSV for name in ("a.csv", "sub/b.csv", *SIDE_FILES)})
    assert len(rows_of("s3://sides/t", "text/csv")) == 2
    out = capsys.readouterr().out
    assert "s3://sides/t: 18 markers, checksums or lists of files are skipped: .DS_Store, ._a.csv, " in out
    assert out.partition("skipped: ")[2].splitlines()[0].endswith(" and others")


def test_nothing_is_reported_if_nothing_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.csv")
    rows_of(tmp_path)
    assert "skipped" not in capsys.readouterr().out


def test_a_pattern_skips_the_same_files_as_a_folder(tmp_path: Path, s3: S3Server) -> None:
    names = ("a.csv", "x.csv.metadata", "part=1_$folder$")
    write(tmp_path, *names)
    assert len(rows_of(tmp_path / "*")) == 1
    s3.put("patterns", {f"t/{name}": CSV for name in names})
    assert len(rows_of("s3://patterns/t/*")) == 1


@pytest.mark.parametrize("name", ["my_manifesto.csv", "manifest.csv", "crc.csv", "metadata.csv", "md5", "x.metadata"])
def test_names_that_only_look_like_side_files_are_data(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert len(rows_of(tmp_path, "text/csv")) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_part_is_skipped_and_reported_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    write(tmp_path, "b.csv")
    empty = [tmp_path / f"a{suffix}", tmp_path / f"c{suffix}"]
    for path in empty:
        path.touch()
    assert rows_of(tmp_path) == [["u", "i", 3.0]]
    assert f"2 files without rows are skipped: {empty[0]}, {empty[1]}\n" in capsys.readouterr().out
    (tmp_path / "b.csv").unlink()
    with pytest.raises(DataError, match="expected at least one row, got none"):
        rows_of(tmp_path)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf", b"\n\n", b"user_id,item_id,rating\n", b"user_id,item_id,rating"])
def test_a_csv_part_without_rows_is_skipped_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    write(tmp_path, "b.csv")
    (tmp_path / "a.csv").write_bytes(content)
    assert rows_of(tmp_path) == [["u", "i", 3.0]]
    assert f"1 files without rows are skipped: {tmp_path}/a.csv\n" in capsys.readouterr().out


def test_a_single_file_is_a_channel_too(tmp_path: Path) -> None:
    write(tmp_path, "_one.csv", "other.csv")
    assert names_of(tmp_path / "_one.csv") == [str(tmp_path / "_one.csv")]
    assert rows_of(tmp_path / "_one.csv") == [["u", "i", 3.0]]


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/a.csv")
    (tmp_path / "channel").mkdir()
    (tmp_path / "channel" / "b.csv").symlink_to(tmp_path / "elsewhere" / "a.csv")
    assert rows_of(tmp_path / "channel") == [["u", "i", 3.0]]


def test_a_file_of_an_unknown_format_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "b.xlsx")
    message = problem_of(tmp_path)
    assert [words for words in (str(tmp_path / "b.xlsx"), *SUFFIXES) if words not in message] == []


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_content_type_sets_the_format_of_a_file_without_a_known_suffix(tmp_path: Path, content_type: str) -> None:
    suffix = {Format.CSV: ".csv", Format.JSON_LINES: ".jsonl", Format.PARQUET: ".parquet"}[CONTENT_TYPES[content_type]]
    columns: Columns = {"user_id": ["u"], "item_id": ["i"], "rating": [3]}
    (tmp_path / "part-0000").write_bytes(encoded(columns, suffix))
    (tmp_path / "part-0001.jsonl.gz").write_bytes(encoded(columns, ".jsonl.gz"))
    assert rows_of(tmp_path, content_type.upper() + "; charset=utf-8") == [["u", "i", 3.0]] * 2


@pytest.mark.parametrize("content_type", [None, "", ";", "image/png", "application/x-recordio"])
def test_an_unknown_content_type_is_ignored(tmp_path: Path, content_type: str | None) -> None:
    write(tmp_path, "a.csv")
    assert rows_of(tmp_path, content_type) == [["u", "i", 3.0]]
    write(tmp_path, "part-0000")
    assert "part-0000: expected a name that ends in .csv" in problem_of(tmp_path, content_type)


def test_a_pipe_is_named_and_never_opened(tmp_path: Path) -> None:
    write(tmp_path, "a.csv")
    os.mkfifo(tmp_path / "train_0")
    assert "train_0: expected a file, got a pipe" in problem_of(tmp_path)
    assert "got a pipe" in problem_of(tmp_path / "train_0")


def test_a_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("a.csv")
        assert "a.csv: expected a file, got a socket" in problem_of(tmp_path)


def test_a_device_is_named() -> None:
    assert problem_of("/dev/null") == "/dev/null: expected a file, got a device"


def test_links_to_nothing_to_folders_and_to_themselves_are_named(tmp_path: Path) -> None:
    link = tmp_path / "a.csv"
    link.symlink_to(tmp_path / "gone")
    assert "a.csv: expected a folder or a file; the target of this link does not exist" in problem_of(tmp_path)
    link.unlink()
    link.symlink_to(tmp_path)
    assert "a.csv: expected a file, got a link to a folder" in problem_of(tmp_path)
    link.unlink()
    link.symlink_to(link)
    assert "a.csv: can't be read: Too many levels of symbolic links" in problem_of(tmp_path)


def test_a_missing_or_empty_location_is_named(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "gone") == f"{tmp_path}/gone: expected a folder or a file; it does not exist"
    assert problem_of("gs://bucket/x") == "gs://bucket/x: expected a folder, a file or s3://bucket/prefix"
    assert f"{tmp_path}: expected at least one file (.csv," in problem_of(tmp_path)


def test_a_name_with_line_breaks_or_broken_unicode_is_one_line_in_the_message(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\nb\xff.txt")).write_bytes(CSV)
    assert "a\\nb\\udcff.txt" in problem_of(tmp_path)


def test_a_prefix_is_a_folder_or_a_key_and_not_the_beginning_of_a_name(s3: S3Server) -> None:
    keys = ["train/b.csv", "train/a/z.csv", "train/a-b/y.csv", "train2/no.csv", "train.csv", "train/a b+c%20é.csv"]
    hidden = ["train/_SUCCESS", "train/.x.csv", "train/_temporary/x.csv", "train/..%2Fx", "train/empty/"]
    s3.put("prefixes", dict.fromkeys(keys + hidden, CSV))
    expected = ["a/z.csv", "a b+c%20é.csv", "a-b/y.csv", "b.csv"]
    for location in ("s3://prefixes/train", "s3://prefixes/train/"):
        assert names_of(location) == [f"s3://prefixes/train/{name}" for name in expected]
        assert rows_of(location) == [["u", "i", 3.0]] * 4
    assert len(names_of("s3://prefixes")) == len(keys)
    assert names_of("s3://prefixes/train.csv") == ["s3://prefixes/train.csv"]
    for location in ("s3://prefixes/tra", "s3://prefixes/train.cs", "s3://prefixes/train/empty", "s3://prefixes/nope"):
        assert problem_of(location).startswith(f"{location}: no objects found at this key or prefix")


def test_objects_of_every_format_are_read_like_files(s3: S3Server, job: Job) -> None:
    objects = {}
    for number, suffix in enumerate(SUFFIXES):
        columns: Columns = {"user_id": [f"u{number}", "v"], "item_id": ["i", "j"], "rating": [1, 2]}
        objects[f"train/part={number}/a{suffix}"] = encoded(columns, suffix)
    for name, content in objects.items():
        job.write(name, content)
    s3.put("formats", objects)
    assert rows_of("s3://formats/train") == job.ratings().to_numpy().tolist()


def test_an_error_in_an_object_names_its_uri(s3: S3Server) -> None:
    s3.put("errors", {"train/a.csv": CSV + b"u,i,x\n", "other/a.xlsx": CSV})
    with pytest.raises(DataError, match=r"^s3://errors/train/a\.csv: row 2 below the header, column 'rating'"):
        rows_of("s3://errors/train")
    assert problem_of("s3://errors/other").startswith("s3://errors/other/a.xlsx: expected a name that ends in")


def test_downloads_have_safe_names_and_are_removed(s3: S3Server) -> None:
    s3.put("escape", {"p/a\nb.csv": CSV, "p/~/etc/x.csv": CSV})
    with open_channel("s3://escape/p") as files:
        folder = files[0].path.parent
        assert sorted(path.name for path in folder.iterdir()) == ["0", "1"]
        assert {file.path.parent for file in files} == {folder}
    assert not folder.exists()
    with pytest.raises(DataError):
        rows_of("s3://escape/../../etc/x.csv")


@pytest.mark.parametrize(
    ("location", "changed", "expected"),
    [
        ("s3://missing-bucket/x", {}, "s3://missing-bucket/x: this bucket does not exist"),
        ("s3://not a bucket/x", {}, "s3://not a bucket/x: S3 can't be used: "),
        ("s3:///x", {}, "s3:///x: expected s3://bucket/prefix"),
        ("s3://ready/probe", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "correct AWS_SECRET_ACCESS_KEY"),
        ("s3://ready/probe", {"AWS_ACCESS_KEY_ID": "wrong"}, "correct AWS_ACCESS_KEY_ID"),
        ("s3://ready/probe", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials"),
        ("s3://ready/probe", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
        ("s3://ready/probe", {"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense"),
        ("s3://ready/probe", {"AWS_PROFILE": "nonsense"}, "profile (nonsense) could not be found"),
    ],
)
def test_an_error_of_s3_names_the_uri_and_what_to_do(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, location: str, changed: dict[str, str], expected: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    message = problem_of(location)
    assert message.startswith("s3://")
    assert expected in message
