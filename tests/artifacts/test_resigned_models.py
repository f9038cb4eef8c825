"""Model folders that someone has altered and signed anew: each is refused by file name, or answers without an error.

The changes are drawn with a fixed seed from all pairs of a file or value and a kind of change.
"""

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.job import Job

from recommender.common import array_folder
from recommender.errors import ArtifactError
from recommender.pipeline.recommendations import Event
from recommender.pipeline.recommender import Recommender

MAX_OF_ARRAYS, MAX_OF_VALUES = 400, 200  # of each model
CONFIG = array_folder.CONFIG_FILE
HEADER_BYTES = 128
Random = np.random.Generator
OfArray = Callable[[np.ndarray, Random], np.ndarray]
OfFile = Callable[[bytes, Random], bytes]
Place = tuple[str | int, ...]


def one(value: float) -> OfArray:
    """Change a value at a random position, to the nearest one that the dtype has."""

    def change(array: np.ndarray, random: Random) -> np.ndarray:
        flat = array.reshape(-1).copy()
        if flat.dtype.kind in "iu":
            limits = np.iinfo(flat.dtype)
            number = int(min(max(value, limits.min), limits.max)) if value == value else -1 % (limits.max + 1)
        if len(flat):
            flat[random.integers(len(flat))] = number if flat.dtype.kind in "iu" else value
        return flat.reshape(array.shape)

    return change


def swapped(array: np.ndarray, random: Random) -> np.ndarray:
    """Swap two values."""
    flat = array.reshape(-1).copy()
    if len(flat):
        first, second = random.integers(len(flat), size=2)
        flat[[first, second]] = flat[[second, first]]
    return flat.reshape(array.shape)


OF_ARRAYS: dict[str, OfArray] = {
    "shorter": lambda array, _: array[:-1],
    "longer": lambda array, _: np.concatenate([array, array[-1:]]),
    "empty": lambda array, _: array[:0],
    "of one axis more": lambda array, _: array[:, None],
    "of no axis": lambda array, _: np.array(array.reshape(-1)[0] if array.size else 0, array.dtype),
    "of columns": lambda array, _: np.asfortranarray(np.stack([array.reshape(-1)] * 2, axis=1)),
    "of wider numbers": lambda array, _: array.astype(np.float64 if array.dtype == np.float32 else np.int16),
    "of another byte order": lambda array, _: array.astype(array.dtype.newbyteorder()),
    "of texts": lambda array, _: array.astype("S3"),
    "of fields": lambda array, _: array.reshape(-1).view([("a", array.dtype)]),
    "reversed": lambda array, _: array[::-1],
    "in disorder": lambda array, random: random.permutation(array),
    "two swapped": swapped,
    "all zero": lambda array, _: np.zeros_like(array),
    "all the largest": lambda array, _: np.full_like(array, one(math.inf)(array.reshape(-1)[:1], _).max(initial=0)),
    "twice as large": lambda array, _: array + array,
    "negative": lambda array, _: (array.view(np.int8) if array.dtype == bool else 0 - array).astype(array.dtype),
    "random bits": lambda array, random: np.frombuffer(random.bytes(array.nbytes), array.dtype).reshape(array.shape),
    "one below 0": one(-1),
    "one of a billion": one(1e9),
    "one that is the largest": one(1.7e308),
    "one that is infinite": one(math.inf),
    "one that is minus infinity": one(-math.inf),
    "one that is no number": one(math.nan),
}


def stated(descr: str = "'<f4'", order: str = "False", shape: str = "(3,)", more: str = "") -> OfFile:
    """Replace the header of the data."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}".ljust(HEADER_BYTES - 11) + "\n"
    start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    return lambda content, _: start + content[HEADER_BYTES:]


def flipped(content: bytes, random: Random) -> bytes:
    """Flip some bits of the data; most texts are then not UTF-8."""
    found = bytearray(content)
    for place in random.integers(HEADER_BYTES, max(len(found), HEADER_BYTES + 1), size=3):
        if place < len(found):
            found[place] ^= 1 << int(random.integers(8))
    return bytes(found)


OF_FILES: dict[str, OfFile] = {
    "nothing": lambda content, _: b"",
    "cut in the header": lambda content, _: content[:77],
    "a header alone": lambda content, _: content[:HEADER_BYTES],
    "cut in the data": lambda content, _: content[:-1],
    "a byte more": lambda content, _: content + b"\0",
    "no magic": lambda content, _: b"PK\x03\x04" + content[4:],
    "version 2.0": lambda content, _: content[:6] + b"\x02\x00" + content[8:10] + b"\0\0" + content[10:],
    "version 9.9": lambda content, _: content[:6] + b"\x09\x09" + content[8:],
    "a huge header": lambda content, _: content[:8] + b"\xff\xff" + content[10:] + bytes(70_000),
    "a huge shape": stated(shape="(9223372036854775807, 9223372036854775807)"),
    "a negative shape": stated(shape="(-1,)"),
    "a shape of 60 axes": stated(shape="(" + "1," * 40 + ")"),
    "a shape of texts": stated(shape="('a',)"),
    "no shape": stated(shape="None"),
    "objects": stated(descr="'|O'"),
    "a dtype that is none": stated(descr="'zz9'"),
    "a dtype of a dtype": stated(descr="('<f4', (2**9,))"),
    "fields of nothing": stated(descr="[()]"),
    "an endless text": stated(descr="'S99999999999'"),
    "columns first": stated(order="True"),
    "an order that is none": stated(order="7"),
    "other names": stated(more="'x': 1"),
    "brackets": stated(descr="(" * 40),
    "signs": stated(descr="-" * 40 + "1"),
    "code": stated(descr="__import__('os').system('true')"),
    "flipped bits": flipped,
    "other flipped bits": flipped,
}

VALUES: dict[str, object] = {
    "null": None, "true": True, "-1": -1, "0": 0, "0.5": 0.5, "10 ** 9": 10**9, "10 ** 400": 10**400,
    "1e308": 1e308, "-1e-320": -1e-320, "NaN": math.nan, "Infinity": math.inf, "a text": "x", "a number as text": "7",
    "no text": "", "control characters": "\x1b[2J\n\ud800", "a long text": "9" * 5_000, "{}": {}, "[]": [],
    "a deep list": "deep", "a deep object": {"a": {"b": {"c": {}}}},
}  # fmt: skip


def deep(levels: int = 400) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def places(value: Any, path: Place = ()) -> Iterator[Place]:  # noqa: ANN401 - any JSON value
    """Yield the paths of all values in a configuration."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from places(member, (*path, name))


def replaced(config: dict[str, Any], path: Place, kind: str) -> dict[str, Any]:
    """Replace or remove the value at a path of a configuration."""
    found = json.loads(json.dumps(config))
    owner = found
    for name in path[:-1]:
        owner = owner[name]
    if kind == "missing":
        del owner[path[-1]]
    else:
        owner[path[-1]] = deep() if VALUES[kind] == "deep" else VALUES[kind]
    return dict(found)


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def drawn(pairs: list[tuple[Any, str]], count: int, random: Random) -> list[tuple[Any, str]]:
    return [pairs[place] for place in sorted(random.choice(len(pairs), min(count, len(pairs)), replace=False))]


def check_answers(recommender: Recommender) -> None:
    """Request three recommendations in every way; check that numbers are finite and texts are texts."""
    model = recommender.model
    item = model.items.id(len(model.items) // 2)
    events = [Event(item, rating=model.config.rating_max), Event(model.items.id(0))]
    known = [model.users.id(number) for number in range(min(3, len(model.users)))]
    for user in (*known, "of whom nothing is known"):
        for history in ([], events):
            found = recommender.recommend(user, history, top_k=3)
            json.dumps(asdict(found), allow_nan=False)
            assert all(item.item_id.encode() for item in found.items)
    for _, scores, _ in recommender.recommend_batch(np.arange(len(known)), 100, 3):
        assert np.isfinite(scores).all()


def outcome(folder: Path) -> str:
    """Load a folder; return the fault of how it was loaded, or ''."""
    try:
        recommender = Recommender.load(folder)
    except ArtifactError as error:
        names = [path.name for path in folder.iterdir()]
        message = str(error)
        is_good = any(message.startswith(f"{folder / name}: ") for name in names) and message.isprintable()
        return "" if is_good and len(message) < 600 else f"the message is {message!r}"
    except Exception as error:  # noqa: BLE001 - this is what must not be
        return f"load raised {type(error).__name__}: {error}"
    try:
        check_answers(recommender)
    except Exception as error:  # noqa: BLE001
        return f"an answer raised {type(error).__name__}: {error}"
    return ""


class Forger:
    """A state machine that alters one file of a model at a time and computes valid checksums."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = json.loads((folder / CONFIG).read_text())
        self.names = sorted(path.name for path in folder.glob("*.npy"))

    def outcome_of_file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        before = path.read_bytes()
        path.write_bytes(content)
        files = {**self.config["files"], name: array_folder.fingerprint(path)}
        found = self.outcome_of_config({**self.config, "files": files})
        path.write_bytes(before)
        return found

    def outcome_of_config(self, config: dict[str, Any]) -> str:
        path = self.folder / CONFIG
        path.write_text(json.dumps(array_folder.signed(config)))
        found = outcome(self.folder)
        path.write_text(json.dumps(self.config))
        return found


@pytest.fixture(params=["trained_copy", "paper_copy"])
def forger(request: pytest.FixtureRequest) -> Forger:
    job: Job = request.getfixturevalue(request.param)
    return Forger(job.container.model_dir)


def test_an_altered_array_with_valid_checksums_is_refused_or_harmless(forger: Forger) -> None:
    random = np.random.default_rng(0)
    pairs = [(name, kind) for name in forger.names for kind in [*OF_ARRAYS, *OF_FILES, "another"]]
    problems = {}
    for name, kind in drawn(pairs, MAX_OF_ARRAYS, random):
        before = (forger.folder / name).read_bytes()
        if kind == "another":
            content = (forger.folder / str(random.choice(forger.names))).read_bytes()
        elif kind in OF_FILES:
            content = OF_FILES[kind](before, random)
        else:
            with np.errstate(all="ignore"):
                content = saved(OF_ARRAYS[kind](np.load(forger.folder / name), random))
        problems[f"{name}: {kind}"] = forger.outcome_of_file(name, content)
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_an_altered_config_with_a_valid_checksum_is_refused_or_harmless(forger: Forger) -> None:
    random = np.random.default_rng(0)
    pairs = [(path, kind) for path in places(forger.config) if path != ("checksum",) for kind in [*VALUES, "missing"]]
    of_files = {path for path, _ in pairs if path[0] == "files"}  # two values of each file would be most of all
    few = [pair for pair in pairs if pair[0] not in of_files] + drawn(
        [pair for pair in pairs if pair[0] in of_files], 200, random
    )
    problems = {}
    for path, kind in drawn(few, MAX_OF_VALUES, random):
        problems[f"{path}: {kind}"] = forger.outcome_of_config(replaced(forger.config, path, kind))
    assert {name: problem for name, problem in problems.items() if problem} == {}
