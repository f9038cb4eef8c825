"""Files that are complete or absent: this project writes all its results so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file next to `path`; rename it to `path` when the block ends, remove it after an error."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        if temporary.is_file():
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 that appears under its name only when it is complete."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
