"""Files that are whole or absent: the one way in which this project writes what others read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` that takes its name when the block ends; an error removes it."""
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
