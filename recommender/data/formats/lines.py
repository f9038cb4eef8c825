"""The lines of a text file, many at once."""

import zlib
from collections.abc import Iterator

from recommender.common.messages import reason
from recommender.data.sources import SourceFile
from recommender.errors import DataError

MAX_LINE_BYTES = 16 * 2**20
BYTES_AT_ONCE = 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(source: SourceFile, *, show: bool = False) -> Iterator[list[bytes]]:
    r"""Yield all lines in order, without their "\n", in lists of about `BYTES_AT_ONCE` bytes.

    Memory is bounded: a line that is longer than `MAX_LINE_BYTES` is truncated to a length above that limit.

    Args:
        source: the file.
        show: whether to show a progress bar.

    Raises:
        DataError: the file can't be read to its end.
    """
    begun = b""
    try:
        with source.open(show=show) as file:
            begun = file.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK)
            while block := file.read(BYTES_AT_ONCE):
                *lines, begun = (begun + block).split(b"\n")
                begun = begun[: MAX_LINE_BYTES + 1]
                yield lines
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source.name}: can't be read: {reason(error)}") from None
    if begun:
        yield begun.split(b"\n")
