"""The deny list: a file of item IDs that no response recommends, read again when it changes."""

import logging
import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender.common.files import open_regular
from recommender.common.messages import reason, shown
from recommender.components.query import MANY_EXCLUDED, Query
from recommender.data.vocabulary import Vocabulary
from recommender.errors import ConfigError

FILE = "deny.txt"  # in the model folder
MAX_BYTES = 2**26
SECONDS = 1.0  # between two looks at the file
MAX_IDS = 2_000_000  # some 200 MB in memory
MAX_NAMED = 3  # unknown IDs in a message

log = logging.getLogger("recommender.rules")
Signature = tuple[int, int, int]


class DenyList:
    """Items that are not recommended: one ID a line, in UTF-8.

    The file is looked at once a second, when a request comes. A change counts from then on. If the file can't be read,
    the last list stays and the log says why. Write a new file and rename it, so that no half of it is read.
    """

    def __init__(self, path: Path, items: Vocabulary, *, must_exist: bool) -> None:
        """Read the list.

        Args:
            path: the file.
            items: the catalogue.
            must_exist: whether a missing file is an error now; later it is an empty list if it need not exist.

        Raises:
            ConfigError: the file can't be read.
        """
        self._path, self._items, self._must_exist = path, items, must_exist
        self._looked = time.monotonic()
        self._signature: Signature | None = None
        self._item_num, self._mask = np.empty(0, np.int64), np.ones(len(items), bool)
        self._unknown: frozenset[str] = frozenset()
        try:
            self._read_if_changed()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: can't be read as a deny list: {reason(error)}: write an ID a line") from None

    def keep(self) -> None:
        """Keep the list as it is from now on: the file is not read again."""
        self._looked = math.inf

    @property
    def summary(self) -> str:
        """The file, how many items it denies, and how many of its IDs the catalogue does not have."""
        return f"{self._path}: denies {len(self._item_num):,} items{_named(self._unknown)}"

    def allows_unknown(self, item_id: str) -> bool:
        """Return whether the list lacks an item that the catalogue does not have."""
        self._current()
        return item_id not in self._unknown

    @property
    def is_empty(self) -> bool:
        """Whether it denies no item of the catalogue."""
        return not len(self._current())

    def restrict(self, query: Query) -> Query:
        """Return the query without the denied items."""
        denied = self._current()
        if len(denied) <= MANY_EXCLUDED:
            return query.without(denied) if len(denied) else query
        return query.restricted(self._mask)

    def _current(self) -> NDArray[np.int64]:
        now = time.monotonic()
        if now - self._looked >= SECONDS:
            self._looked = now
            try:
                self._read_if_changed()
            except (OSError, ValueError) as error:
                log.error("%s: can't be read as a deny list: %s: the last list stays", self._path, reason(error))
        return self._item_num

    def _read_if_changed(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            if self._must_exist:
                raise
            if self._signature is not None:
                log.info("%s: is removed: no item is denied", self._path)
            self._signature = None
            self._set(np.empty(0, np.int64), frozenset())
            return
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        if signature == self._signature:
            return
        self._signature = signature  # also of a bad file, which is named once
        with open_regular(self._path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"expected at most {MAX_BYTES:,} bytes")
        if content.count(b"\n") > MAX_IDS:
            raise ValueError(f"expected at most {MAX_IDS:,} lines")
        item_ids = [item_id for line in content.decode().splitlines() if (item_id := line.strip())]
        found = self._items.numbers(item_ids)
        unknown = frozenset(item_ids[place] for place in np.flatnonzero(found < 0).tolist())
        self._set(np.unique(found[found >= 0]), unknown)
        log.info(self.summary)

    def _set(self, item_num: NDArray[np.int64], unknown: frozenset[str]) -> None:
        self._unknown = unknown
        self._item_num, self._mask = item_num, np.ones(len(self._items), bool)
        self._mask[item_num] = False


def _named(unknown: frozenset[str]) -> str:
    """Return the end of a message: how many IDs the catalogue does not have, and some of them."""
    if not unknown:
        return ""
    some = ", ".join(shown(item_id) for item_id in sorted(unknown)[:MAX_NAMED])
    return f"; the catalogue does not have {len(unknown)} of the IDs, such as {some}"
