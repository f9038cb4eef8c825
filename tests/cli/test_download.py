"""Downloads from a real local HTTP server that breaks connections, changes files and states wrong lengths."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.job import ROOT
from tenacity import wait_none

from recommender.cli.download import main
from recommender.prepare import download
from recommender.prepare.download import ATTEMPTS, CATEGORIES, FILES

S3 = "x-amz-checksum-sha256"
NAMES = [file.format("Gift_Cards").rpartition("/")[2] for file in FILES]
PATHS = ["/raw/" + file.format("Gift_Cards") for file in FILES]


@dataclass
class Site:
    """The content and the behaviour of a server.

    Attributes:
        files: by path.
        cuts: of the answers to come, after how many bytes the connection breaks; whole ones when they are used up.
        statuses: of the answers to come, instead of files.
        etag: of all files; None where there is none.
        ranges: whether it can send parts.
        says_length: whether it says how long an answer is.
        chunked: whether answers are sent in chunks, the last of which says that there are no more.
        digest: a header of all files, and its value.
        slow: seconds between two blocks.
        asked: method, path and Range of every request.
    """

    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    etag: str | None = '"one"'
    ranges: bool = True
    says_length: bool = True
    chunked: bool = False
    digest: tuple[str, str] | None = None
    slow: float = 0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        site, wanted = self.site, self.headers.get("Range")
        site.asked.append((self.command, self.path, wanted))
        if site.statuses and self.command == "GET":
            return self.begin(site.statuses.pop(0), 0)
        if self.path not in site.files:
            return self.begin(404, 0)
        content, first = site.files[self.path], 0
        if wanted and site.ranges and self.headers.get("If-Range") == site.etag:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                return self.begin(416, 0, f"bytes */{len(content)}")
            self.begin(206, len(content) - first, f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.begin(200, len(content))
        if self.command == "GET":
            is_cut, cut = bool(site.cuts), site.cuts.pop(0) if site.cuts else len(content)
            self.send(content[first:][:cut])
            if site.chunked and not is_cut:
                self.wfile.write(b"0\r\n\r\n")
        return None

    def begin(self, status: int, length: int, content_range: str | None = None) -> None:
        self.send_response(status)
        if self.site.chunked and status in (200, 206) and self.command == "GET":
            self.send_header("Transfer-Encoding", "chunked")
        elif self.site.says_length or status != 200:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        if self.site.digest:
            self.send_header(*self.site.digest)
        if self.site.etag:
            self.send_header("ETag", self.site.etag)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def send(self, content: bytes) -> None:
        for begin in range(0, len(content), 50_000):
            block = content[begin : begin + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if self.site.chunked else block)
            time.sleep(self.site.slow)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(download, "WAIT", wait_none())
    contents = [bytes(range(256)) * 2_000, b"meta" * 50_000]
    site = Site(dict(zip(PATHS, contents, strict=True)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_port}/raw"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def run(site: Site, folder: Path) -> int:
    return main(["Gift_Cards", "--output", str(folder), "--source", site.url])


def assert_complete(site: Site, folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: site.files[path] for name, path in zip(NAMES, PATHS, strict=True)
    }


def test_both_files_of_a_category_are_fetched(site: Site, tmp_path: Path) -> None:
    assert run(site, tmp_path / "raw") == 0
    assert_complete(site, tmp_path / "raw")


def test_existing_files_are_fetched_again_only_if_their_size_differs(site: Site, tmp_path: Path) -> None:
    assert run(site, tmp_path) == 0
    site.asked.clear()
    assert run(site, tmp_path) == 0
    assert [asked[0] for asked in site.asked] == ["HEAD", "HEAD"]
    site.files[PATHS[0]] += b"more"
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)


def test_a_broken_download_resumes_without_sending_a_byte_twice(site: Site, tmp_path: Path) -> None:
    site.cuts = [200_000, 150_000, 100_000]
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)
    begins = [int(asked[2].removeprefix("bytes=").rstrip("-")) for asked in site.asked if asked[2]]
    assert len(begins) == 3
    assert begins == sorted(begins)
    assert begins[0] > 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 520_000), max_size=6), ranges=st.booleans(), etag=st.sampled_from(['"a"', None]))
def test_a_download_completes_after_any_interruptions(
    site: Site, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], ranges: bool, etag: str | None
) -> None:
    site.cuts, site.ranges, site.etag = list(cuts), ranges, etag
    folder = tmp_path_factory.mktemp("raw")
    assert run(site, folder) == 0
    assert_complete(site, folder)


def test_a_killed_download_resumes(site: Site, tmp_path: Path) -> None:
    site.slow = 0.05
    command = [
        sys.executable,
        "-m",
        "recommender",
        "download",
        "Gift_Cards",
        "--output",
        str(tmp_path),
        "--source",
        site.url,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        part = tmp_path / (NAMES[0] + ".part")
        while not (part.exists() and part.stat().st_size > 100_000):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert [path.name for path in tmp_path.iterdir() if path.name in NAMES] == []
    site.slow = 0
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)
    assert any(asked[2] for asked in site.asked)


def test_a_changed_file_is_never_mixed_with_the_old_one(site: Site, tmp_path: Path) -> None:
    site.cuts = [200_000] + [0] * ATTEMPTS
    assert run(site, tmp_path) == 1
    assert (tmp_path / (NAMES[0] + ".part")).stat().st_size > 0
    site.cuts, site.etag = [], '"two"'
    site.files[PATHS[0]] = b"other" * 90_000
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)


def test_a_complete_or_too_long_part_is_handled(site: Site, tmp_path: Path) -> None:
    for length, name in ((0, "whole"), (10, "too long")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / (NAMES[0] + ".part")).write_bytes(site.files[PATHS[0]] + b"x" * length)
        (folder / (NAMES[0] + ".validator")).write_text('"one"')
        assert run(site, folder) == 0
        assert_complete(site, folder)


def test_a_busy_server_is_retried(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.statuses = [503, 429, 500]
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)
    assert "the server responds with status 503; attempt 1 of 8" in capsys.readouterr().out


def test_a_download_needs_no_content_length(site: Site, tmp_path: Path) -> None:
    site.says_length = False
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_chunked_download_resumes(site: Site, tmp_path: Path, says_length: bool, ranges: bool) -> None:
    """Download from a server that sends no length in its response to HEAD."""
    site.chunked, site.says_length, site.ranges, site.cuts = True, says_length, ranges, [200_000, 250_000]
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)
    assert any(asked[2] for asked in site.asked)


def test_a_chunked_download_that_always_breaks_is_an_error(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.chunked, site.says_length, site.cuts = True, False, [200_000] + [0] * ATTEMPTS
    assert run(site, tmp_path) == 1
    assert (
        f"the connection broke off after 200,000 of 512,000 bytes; {ATTEMPTS} attempts have failed"
        in capsys.readouterr().err
    )
    assert not (tmp_path / NAMES[0]).exists()


def digest_header(content: bytes, header: str, name: str = "sha256") -> tuple[str, str]:
    text = base64.b64encode(hashlib.new(name, content).digest()).decode()
    return header, text if header.startswith("x-amz") else f"crc=:AA==:, {name.replace('sha', 'sha-')}=:{text}:"


@pytest.mark.parametrize(("header", "name"), [("Repr-Digest", "sha256"), ("Repr-Digest", "sha512"), (S3, "sha256")])
def test_a_file_with_a_wrong_digest_is_an_error(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, name: str
) -> None:
    site.files = dict.fromkeys(PATHS, b"content" * 1_000)
    site.digest = digest_header(b"content" * 1_000, header, name)
    assert run(site, tmp_path / "right") == 0
    assert_complete(site, tmp_path / "right")
    site.digest = digest_header(b"content" * 1_001, header, name)
    assert run(site, tmp_path / "wrong") == 1
    assert f"the file has another {name.upper()} than the server states" in capsys.readouterr().err
    assert not (tmp_path / "wrong" / NAMES[0]).exists()


def test_an_unreadable_digest_is_ignored(site: Site, tmp_path: Path) -> None:
    site.digest = (S3, "AAAA-12")  # S3's digest of an object that was uploaded in parts
    assert run(site, tmp_path) == 0
    assert_complete(site, tmp_path)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([404], "the server responds with status 404: expected a file"),
        ([503] * ATTEMPTS, f"{ATTEMPTS} attempts have failed"),
    ],
)
def test_a_missing_file_is_an_error_of_one_line(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], statuses: list[int], expected: str
) -> None:
    site.statuses = statuses
    assert run(site, tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {site.url}/review_categories/Gift_Cards.jsonl.gz: ")
    assert expected in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Amazon_Fasion"], "Amazon_Fasion: expected a category of Amazon Reviews 2023, such as Amazon_Fashion"),
        (["../../etc/passwd"], "../../etc/passwd: expected a category of Amazon Reviews 2023, such as All_Beauty"),
        (["Books", "--source", "file:///etc"], "--source: expected a URL with https://, got file:///etc"),
        (["Books", "--source", "http://127.0.0.1:9"], f"{ATTEMPTS} attempts have failed"),
        ([], "command line: Missing argument 'CATEGORY'"),
    ],
)
def test_an_invalid_command_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    arguments: list[str], expected: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(download, "WAIT", wait_none())
    assert main([*arguments, "--output", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_there_are_34_categories() -> None:
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 34
