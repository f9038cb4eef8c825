"""A small file that stands for an endless one is refused before its end is reached."""

import gzip
import zlib

import pytest
from support.job import Job

from recommender.data.formats import lines


def unending(text: bytes, times: int) -> bytes:
    """The beginning of a gzip file: who reads on to its end fails with another message."""
    compressor = zlib.compressobj(1, wbits=31)
    return b"".join([*(compressor.compress(text) for _ in range(times)), compressor.flush(zlib.Z_SYNC_FLUSH)])


@pytest.mark.parametrize(
    ("name", "begin", "line"),
    [
        ("a.csv.gz", b"", 1),
        ("a.csv.gz", b"user_id,item_id\n", 2),
        ("a.csv.gz", b'user_id,item_id\nu,"', 2),
        ("a.jsonl.gz", b'{"user_id": "', 1),
        ("a.jsonl.gz", b"\n", 2),
    ],
)
def test_a_line_of_a_gigabyte_is_refused_before_its_end(job: Job, name: str, begin: bytes, line: int) -> None:
    message = job.problem(name, gzip.compress(begin) + unending(b"x" * 2**20, 30))
    assert message == f"line {line}: expected at most 16,777,216 bytes, got more"


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_file_of_endless_lines_is_refused_before_its_end(
    job: Job, monkeypatch: pytest.MonkeyPatch, name: str, quote: bytes
) -> None:
    begin, line = b"user_id,item_id\n", quote + b"u" + quote + b",i\n"
    if name == "a.jsonl.gz":
        begin, line = b"", b'{"user_id": "u", "item_id": "i"}\n'
    monkeypatch.setattr(lines, "MAX_ROWS", 1_000_000)
    for endless in (line, b"\n"):
        message = job.problem(name, gzip.compress(begin) + unending(endless * 2**17, 80))
        assert message == "expected at most 1,000,000 lines, got more: split the file"
    monkeypatch.setattr(lines, "MAX_FILE_BYTES", 2_000_000)
    message = job.problem(name, gzip.compress(begin) + unending(line * 2**17, 30))
    assert message == "expected at most 2,000,000 decompressed bytes, got more: split the file"
