"""Rows of text -> a Markdown table."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; whole numbers have thousands separators."""
    lines = [[f"{cell:,}" if type(cell) is int else str(cell) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, ["---"] * len(header), *lines])
