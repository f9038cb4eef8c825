"""From pydantic's errors to one line that names the field, what was expected and what came."""

from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_SHOWN = 80


def shown(value: object) -> str:
    """The value as a message may show it: its repr, at most `MAX_SHOWN` characters.

    Long strings are cut before their repr is made, so that a hostile value costs nothing.
    """
    text = repr(value[: MAX_SHOWN + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def first_problem(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """`(field, message)` of the first problem; nested fields as `history[2].rating`."""
    detail = error.errors(include_url=False)[0]
    return _path(detail["loc"]), _message(detail, model.model_fields)


def _path(location: Iterable[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _message(detail: ErrorDetails, known: Iterable[str]) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown name; known here are {', '.join(known)}" if len(detail["loc"]) == 1 else "unknown name"
    if detail["type"] == "missing":
        return "is required and missing"
    expected = detail["msg"].replace("Input should be", "expected").removeprefix("Value error, ")
    return f"{expected}, got {shown(detail['input'])}"
