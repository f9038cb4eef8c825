"""The raw files of a category of Amazon Reviews 2023, downloaded so that a broken transfer is resumed."""

import sys
from pathlib import Path
from typing import NoReturn

import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from recommender.common.messages import printable, reason
from recommender.common.progress import say
from recommender.errors import DataError

# Of the data set's page, amazon-reviews-2023.github.io.
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
ATTEMPTS = 8  # in a row in which nothing more comes
WAIT = wait_exponential(max=60)  # seconds between them
TIMEOUT = urllib3.Timeout(connect=10, read=60)
REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, redirect=5, status=0, other=0)
BYTES_AT_ONCE = 2**16


class BrokenOffError(Exception):
    """The server did not send more than it had sent before; it may be asked again."""


def fetch(url: str, path: Path) -> None:
    """Download a file to `path`, where it appears when it is complete and of the size that the server says.

    Until then it grows as `path`.part. A later call goes on from there, if the server still has the same file (it is
    asked by the ETag or date that `path`.validator keeps) and can send a part of it; else from the beginning.

    Raises:
        DataError: there is no such file, or `ATTEMPTS` times in a row nothing more comes.
        OSError: the file can't be written.
    """
    with urllib3.PoolManager(retries=REDIRECTS, timeout=TIMEOUT) as http:
        transfer = Transfer(http, url, path)
        again = Retrying(
            retry=retry_if_exception_type(BrokenOffError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=WAIT,
            before_sleep=lambda state: say(
                f"{path}: {_problem(state)}; attempt {state.attempt_number} of {ATTEMPTS} ..."
            ),
            reraise=True,
        )
        try:
            while not again(transfer.go_on):
                pass  # more has come: the attempts begin anew
        except BrokenOffError as error:
            raise DataError(
                f"{printable(url)}: {error}; {ATTEMPTS} attempts have failed. What has come is kept: the same command "
                "goes on from there"
            ) from None


class Transfer:
    """A download that can be broken off and gone on with."""

    def __init__(self, http: urllib3.PoolManager, url: str, path: Path) -> None:
        self._http, self._url, self._path = http, url, path
        self._part = path.with_name(path.name + ".part")
        self._validator = path.with_name(path.name + ".validator")
        self._most = 0  # bytes that were there in any attempt

    def go_on(self) -> bool:
        """Ask for what is missing.

        Returns:
            Whether the file is complete; False where more has come than ever before and then broke off.

        Raises:
            BrokenOffError: not more has come.
            DataError: there is no such file.
        """
        begin, headers = self._begin()
        try:
            response = self._http.request("GET", self._url, headers=headers, preload_content=False)
        except HTTPError as error:
            # urllib3 wraps what has happened in what it has tried.
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
        self._most = max(self._most, size)
        return size, {**headers, "Range": f"bytes={size}-", "If-Range": validator}

    def _receive(self, response: urllib3.BaseHTTPResponse, begin: int) -> bool:
        content_range = response.headers.get("Content-Range", "")
        if response.status == 416 and content_range == f"bytes */{begin}":
            return self._complete()  # there is nothing behind what we have
        if response.status == 416 or (response.status == 206 and not content_range.startswith(f"bytes {begin}-")):
            self._restart()
        self._check_status(response.status)
        if response.status == 200:
            begin = 0
            self._part.unlink(missing_ok=True)  # first, so that a part is never taken for one of this version
            self._validator.write_text(_validator_of(response))
        length = response.headers.get("Content-Length")
        total = begin + int(length) if length and length.isdigit() else None
        received = self._write(response, begin, total)
        if total is None or received == total:
            return self._complete()
        if received > self._most:
            self._most = received
            return False
        raise BrokenOffError(f"the connection broke off after {received:,} of {total:,} bytes")

    def _check_status(self, status: int) -> None:
        if status == 429 or status >= 500:
            raise BrokenOffError(f"the server answers {status}")
        if status not in (200, 206):
            raise DataError(f"{printable(self._url)}: the server answers {status}: expected a file")

    def _write(self, response: urllib3.BaseHTTPResponse, begin: int, total: int | None) -> int:
        """Append what comes; returns how large the part is then."""
        if not sys.stderr.isatty():
            size = "size not said" if total is None else f"{total / 1e6:,.0f} MB"
            say(f"{self._path}: {size}" + (f", of which {begin / 1e6:,.0f} MB are here ..." if begin else " ..."))
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
                pass  # how much has come says whether it goes on
            return file.tell()

    def _restart(self) -> NoReturn:
        self._part.unlink(missing_ok=True)
        self._most = 0
        raise BrokenOffError("the file has changed on the server")

    def _complete(self) -> bool:
        self._part.replace(self._path)
        self._validator.unlink(missing_ok=True)
        return True


def _validator_of(response: urllib3.BaseHTTPResponse) -> str:
    """What names this version of the file (RFC 9110, If-Range: a strong ETag or a date); '' where nothing does."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def size_on_server(url: str) -> int | None:
    """Bytes of the file that a server has; None where it does not say."""
    try:
        response = urllib3.request("HEAD", url, headers={"Accept-Encoding": "identity"}, timeout=TIMEOUT)
    except HTTPError:
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status == 200 and length.isdigit() else None


def _problem(state: RetryCallState) -> object:
    return state.outcome.exception() if state.outcome else ""
