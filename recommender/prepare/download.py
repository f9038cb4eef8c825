"""Download the raw files of a category of Amazon Reviews 2023; an interrupted download resumes."""

import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import NoReturn

import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from recommender.common.files import sync
from recommender.common.messages import printable, reason
from recommender.common.output import say
from recommender.errors import DataError

# Source: the page of the data set, amazon-reviews-2023.github.io.
SOURCE = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw"
FILES = ("review_categories/{}.jsonl.gz", "meta_categories/meta_{}.jsonl.gz")
CATEGORIES = (
    "All_Beauty", "Amazon_Fashion", "Appliances", "Arts_Crafts_and_Sewing", "Automotive", "Baby_Products",
    "Beauty_and_Personal_Care", "Books", "CDs_and_Vinyl", "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry",
    "Digital_Music", "Electronics", "Gift_Cards", "Grocery_and_Gourmet_Food", "Handmade_Products",
    "Health_and_Household", "Health_and_Personal_Care", "Home_and_Kitchen", "Industrial_and_Scientific",
    "Kindle_Store", "Magazine_Subscriptions", "Movies_and_TV", "Musical_Instruments", "Office_Products",
    "Patio_Lawn_and_Garden", "Pet_Supplies", "Software", "Sports_and_Outdoors", "Subscription_Boxes",
    "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games", "Unknown",
)  # fmt: skip
ATTEMPTS = 8  # maximum number of consecutive attempts without new bytes
WAIT = wait_exponential(max=60)  # seconds between attempts
TIMEOUT = urllib3.Timeout(connect=10, read=60)
REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, redirect=5, status=0, other=0)
BYTES_AT_ONCE = 2**16
DIGEST = re.compile(r"([a-z0-9-]+)=:([A-Za-z0-9+/=]*):")  # in the header Repr-Digest: "sha-256=:...:"
DIGESTS = {"sha-256": "sha256", "sha-512": "sha512"}  # name in HTTP -> name in hashlib


class BrokenOffError(Exception):
    """The server sent no new bytes; another attempt may succeed."""


def fetch(url: str, path: Path) -> None:
    """Download a file to `path`; it appears there only when it is complete.

    If the server states a size or a digest, the file is checked against it. Until then the partial file is
    `path`.part. A later call resumes it, if the server still has the same file and can send a part of it. Otherwise
    the call starts again. The ETag or date in `path`.validator identifies the file.

    Raises:
        DataError: the server has no such file, or `ATTEMPTS` consecutive attempts brought no new bytes.
        OSError: the file can't be written.
    """
    with urllib3.PoolManager(retries=REDIRECTS, timeout=TIMEOUT) as http:
        transfer = Transfer(http, url, path)
        retrying = Retrying(
            retry=retry_if_exception_type(BrokenOffError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=WAIT,
            before_sleep=lambda state: say(
                f"{path}: {_problem(state)}; attempt {state.attempt_number} of {ATTEMPTS} ..."
            ),
            reraise=True,
        )
        try:
            while not retrying(transfer.resume):
                pass  # new bytes: count the attempts from the beginning
        except BrokenOffError as error:
            raise DataError(
                f"{printable(url)}: {error}; {ATTEMPTS} attempts have failed. The partial file is kept: run the same "
                "command again to resume"
            ) from None


class Transfer:
    """A download that can be interrupted and resumed."""

    def __init__(self, http: urllib3.PoolManager, url: str, path: Path) -> None:
        self._http, self._url, self._path = http, url, path
        self._part = path.with_name(path.name + ".part")
        self._validator = path.with_name(path.name + ".validator")
        self._largest_size = 0  # largest size of the partial file in any attempt

    def resume(self) -> bool:
        """Request the missing bytes.

        Returns:
            Whether the file is complete; False if the transfer brought new bytes and then broke off.

        Raises:
            BrokenOffError: the transfer brought no new bytes.
            DataError: the server has no such file.
        """
        begin, headers = self._begin()
        try:
            response = self._http.request("GET", self._url, headers=headers, preload_content=False)
        except HTTPError as error:
            # urllib3 wraps the cause in an error about its own attempts.
            raise BrokenOffError(reason(getattr(error, "reason", None) or error).rpartition(": ")[2]) from None
        try:
            return self._receive(response, begin)
        finally:
            response.close()

    def _begin(self) -> tuple[int, dict[str, str]]:
        headers = {"Accept-Encoding": "identity"}
        size = self._part.stat().st_size if self._part.exists() else 0
        validator = self._validator.read_text() if self._validator.exists() else ""
        if not size or not validator:
            return 0, headers
        self._largest_size = max(self._largest_size, size)
        return size, {**headers, "Range": f"bytes={size}-", "If-Range": validator}

    def _receive(self, response: urllib3.BaseHTTPResponse, begin: int) -> bool:
        content_range = response.headers.get("Content-Range", "")
        if response.status == 416 and content_range == f"bytes */{begin}":
            return self._complete(response)  # the partial file is the whole file
        if response.status == 416 or (response.status == 206 and not content_range.startswith(f"bytes {begin}-")):
            self._restart()
        self._check_status(response.status)
        if response.status == 200:
            begin = 0
            self._part.unlink(missing_ok=True)  # first, so that an old part never counts as this version
            self._validator.write_text(_validator_of(response))
        total = self._total(response, begin)
        received, has_ended = self._write(response, begin, total)
        if has_ended if total is None else received == total:
            return self._complete(response)
        if received > self._largest_size:
            self._largest_size = received
            return False
        of = "" if total is None else f" of {total:,}"
        raise BrokenOffError(f"the connection broke off after {received:,}{of} bytes")

    def _total(self, response: urllib3.BaseHTTPResponse, begin: int) -> int | None:
        """Return the size of the whole file in bytes; None if the server does not state it."""
        whole = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status == 206 and whole.isdigit():
            return int(whole)
        length = response.headers.get("Content-Length", "")
        return begin + int(length) if length.isdigit() else size_on_server(self._url)

    def _check_status(self, status: int) -> None:
        if status == 429 or status >= 500:
            raise BrokenOffError(f"the server responds with status {status}")
        if status not in (200, 206):
            raise DataError(f"{printable(self._url)}: the server responds with status {status}: expected a file")

    def _write(self, response: urllib3.BaseHTTPResponse, begin: int, total: int | None) -> tuple[int, bool]:
        """Append the received bytes; return the size of the partial file and whether the response was complete."""
        if not sys.stderr.isatty():
            size = "unknown size" if total is None else f"{total / 1e6:,.0f} MB"
            say(f"{self._path}: {size}" + (f", {begin / 1e6:,.0f} MB already downloaded ..." if begin else " ..."))
        with (
            self._part.open("r+b" if begin else "wb") as file,
            tqdm(total=total, initial=begin, unit="B", unit_scale=True, desc=self._path.name, disable=None) as bar,
        ):
            file.seek(begin)
            file.truncate()
            try:
                for block in response.stream(BYTES_AT_ONCE, decode_content=False):
                    file.write(block)
                    bar.update(len(block))
            except HTTPError:
                return file.tell(), False
            return file.tell(), True

    def _restart(self, problem: str = "the file has changed on the server") -> NoReturn:
        self._part.unlink(missing_ok=True)
        self._largest_size = 0
        raise BrokenOffError(problem)

    def _complete(self, response: urllib3.BaseHTTPResponse) -> bool:
        for name, stated in _digests_of(response).items():
            with self._part.open("rb") as file:
                found = hashlib.file_digest(file, name).digest()
            if found != stated:
                self._restart(f"the file has another {name.upper()} than the server states")
        sync(self._part)
        self._part.replace(self._path)
        self._validator.unlink(missing_ok=True)
        sync(self._path.parent)
        return True


def _validator_of(response: urllib3.BaseHTTPResponse) -> str:
    """Return the validator of this version (RFC 9110, If-Range: a strong ETag or a date); '' if it has none."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _digests_of(response: urllib3.BaseHTTPResponse) -> dict[str, bytes]:
    """Return the digests of the whole file that the server states: name in hashlib -> digest.

    They are in the header Repr-Digest (RFC 9530) and in that of S3, both in base64.
    """
    found = {name: text for name, text in DIGEST.findall(response.headers.get("Repr-Digest", "")) if name in DIGESTS}
    if whole := response.headers.get("x-amz-checksum-sha256", ""):
        found["sha-256"] = whole
    return {DIGESTS[name]: digest for name, text in found.items() if (digest := _decoded(text))}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # for example S3's checksum of an object in parts
        return b""


def size_on_server(url: str) -> int | None:
    """Return the size in bytes of a file on a server; None if the server does not state it."""
    try:
        response = urllib3.request("HEAD", url, headers={"Accept-Encoding": "identity"}, timeout=TIMEOUT)
    except HTTPError:
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status == 200 and length.isdigit() else None


def _problem(state: RetryCallState) -> object:
    return state.outcome.exception() if state.outcome else ""
