"""Read a text file in blocks of bytes or of lines."""

import zlib
from collections.abc import Iterator

from recommender.common.messages import reason
from recommender.data.bounds import MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_ROWS
from recommender.data.sources import SourceFile
from recommender.errors import DataError

BYTES_AT_ONCE = 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_blocks(source: SourceFile, bytes_at_once: int, *, show: bool = False) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file in blocks, without a byte order mark.

    Args:
        source: the file.
        bytes_at_once: the size of a block in bytes.
        show: whether to show a progress bar.

    Raises:
        DataError: the file can't be read to its end, is UTF-16, or has more than `MAX_FILE_BYTES` or `MAX_ROWS` lines.
    """
    num_bytes, num_lines = 0, 0
    try:
        with source.open(show=show) as file:
            while block := file.read(bytes_at_once):
                if not num_bytes:
                    _check_encoding(source.name, block)
                num_bytes += len(block)
                num_lines += block.count(b"\n")
                check_bytes(source.name, num_bytes)
                check_rows(source.name, num_lines, "lines")
                yield block.removeprefix(BYTE_ORDER_MARK) if num_bytes == len(block) else block
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source.name}: can't be read: {reason(error)}") from None


def _check_encoding(name: str, block: bytes) -> None:
    if block.startswith(UTF_16):
        raise DataError(f"{name}: expected UTF-8 text, got UTF-16 or UTF-32: save it as UTF-8")


def check_rows(name: str, num_rows: int, what: str = "rows") -> None:
    """Check the number of rows or lines of a file.

    Raises:
        DataError: the file has more than `MAX_ROWS`.
    """
    if num_rows > MAX_ROWS:
        raise DataError(f"{name}: expected at most {MAX_ROWS:,} {what}, got more: split the file")


def check_bytes(name: str, num_bytes: int) -> None:
    """Check the decompressed size of a file.

    Raises:
        DataError: the file has more than `MAX_FILE_BYTES`.
    """
    if num_bytes > MAX_FILE_BYTES:
        raise DataError(f"{name}: expected at most {MAX_FILE_BYTES:,} decompressed bytes, got more: split the file")


def read_lines(source: SourceFile, *, show: bool = False) -> Iterator[list[bytes]]:
    r"""Yield all lines in order, without their "\n", in lists of about `BYTES_AT_ONCE` bytes.

    Memory is bounded: a line longer than `MAX_LINE_BYTES` is cut to a length above that limit. It is yielded before
    its end is read.

    Args:
        source: the file.
        show: whether to show a progress bar.

    Raises:
        DataError: see `read_blocks`.
    """
    begun, is_truncated = b"", False
    for block in read_blocks(source, BYTES_AT_ONCE, show=show):
        *lines, last = block.split(b"\n")
        if lines:
            yield lines[1:] if is_truncated else [begun + lines[0], *lines[1:]]
            begun, is_truncated = last, False
        elif not is_truncated:
            begun += last
        if len(begun) > MAX_LINE_BYTES:
            yield [begun]
            begun, is_truncated = b"", True
    if begun:
        yield [begun]
