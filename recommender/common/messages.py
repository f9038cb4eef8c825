"""Error messages for user input: one line that names the field, the expected and the found value."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recommender.errors import ConfigError

MAX_SHOWN = 80
MAX_REASON_CHARACTERS = 200
MAX_NAMES, MAX_SIMILAR = 20, 5
UNKNOWN = "unknown name"
SIMILAR = 0.5  # share of equal characters


def shown(value: object) -> str:
    """Return a value as a message may show it, in at most `MAX_SHOWN` characters.

    Long strings are cut before their repr is computed, and the content of lists and objects is not shown, so
    that a hostile value costs nothing.
    """
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[: MAX_SHOWN + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def first_problem(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """Return `(field, message)` of the first problem, with nested fields as `history[2].rating`."""
    details = error.errors(include_url=False)
    field, message = _path(details[0]["loc"]), _message(details[0], model.model_fields)
    if details[0]["type"] == "missing":
        others = [_path(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"]
        message += f"; found {shown(others[0])}, which is unknown" if others else ""
    return field, message


def _path(location: Iterable[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _message(detail: ErrorDetails, known: Iterable[str]) -> str:
    if detail["type"] == "extra_forbidden":
        return _unknown(str(detail["loc"][0]), list(known)) if len(detail["loc"]) == 1 else UNKNOWN
    if detail["type"] == "missing":
        return "is missing; it is required"
    if detail["type"] == "too_long":
        return f"expected at most {_entries(detail['ctx']['max_length'])}, got {len(detail['input'])}"
    if detail["type"] == "too_short":
        return f"expected at least {_entries(detail['ctx']['min_length'])}, got {len(detail['input'])}"
    if detail["type"] == "string_too_long":
        return f"expected at most {detail['ctx']['max_length']} characters, got {len(detail['input'])}"
    words = _WORDS.get(detail["type"]) or detail["msg"].replace("Input should be", "expected")
    got = f", got {shown(detail['input'])}" if detail["loc"] else ""  # a whole body is not shown
    return words.removeprefix("Value error, ") + got


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _unknown(name: str, known: Sequence[str]) -> str:
    """Return the message for an unknown name: all known ones, or the most similar of many."""
    if len(known) <= MAX_NAMES:
        return f"{UNKNOWN}; known here are {', '.join(known)}"
    similar = get_close_matches(name[:MAX_SHOWN], known, MAX_SIMILAR, SIMILAR)
    return f"{UNKNOWN}; similar ones are {', '.join(similar)}" if similar else f"{UNKNOWN}; --help lists all"


# pydantic's messages for these use Python's terms.
_WORDS = {
    "string_too_short": "expected a text that is not empty",
    "model_type": "expected an object",
    "dict_type": "expected an object",
}


def read_json_object(path: Path) -> dict[str, object]:
    """Read the JSON object in a file; return an empty one if there is no file.

    Raises:
        ConfigError: the file can't be read or is not one JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read as text: {error}") from None
    return json_object(text, str(path))


def json_object(text: str, source: str) -> dict[str, object]:
    """Parse a text as a JSON object.

    Raises:
        ConfigError: the text is not one JSON object; the message begins with `source`.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: expected one JSON object: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected one JSON object, got {shown(values)}")
    return values


def printable(name: str) -> str:
    """Return a name as a message may show it: without line breaks, control characters or broken Unicode."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def reason(error: BaseException) -> str:
    """Return the message of an error in one short line."""
    return printable(" ".join(str(error).split())[:MAX_REASON_CHARACTERS]) or type(error).__name__
