"""The model folder: everything the server needs, and nothing else.

One .npy file an array, memory-mapped when it is loaded, so that workers share one copy, and
config.json, written last, with the format version, the hyper-parameters and size and SHA-256 of each
file. Nothing is unpickled. The same model gives the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender.config import TrainConfig
from recommender.container import BASE_DIR
from recommender.data.histories import Histories
from recommender.data.strings import StringTable, Vocabulary
from recommender.errors import ArtifactError, ConfigError
from recommender.models.factors import Factors
from recommender.rerank.vectors import TitleVectors
from recommender.validation import shown

FORMAT = "two-stage-recommender"
FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
MAX_CONFIG_BYTES = 1_000_000


@dataclass(frozen=True)
class Model:
    """What training hands to serving.

    Attributes:
        config: the hyper-parameters it was trained with.
        users, items: ids of the rows.
        factors: the matrix factorization.
        histories: what every user has rated.
        titles: of every item, '' where unknown.
        title_vectors: their TF-IDF vectors.
        item_count: (num_items,) int32, training ratings of every item: its popularity.
    """

    config: TrainConfig
    users: Vocabulary
    items: Vocabulary
    factors: Factors
    histories: Histories
    titles: StringTable
    title_vectors: TitleVectors
    item_count: np.ndarray


# File name without .npy -> where the array comes from. The one list of what a folder holds.
ARRAYS: dict[str, Callable[[Model], np.ndarray]] = {
    "user_ids": lambda model: model.users.table.blob,
    "user_id_offsets": lambda model: model.users.table.offsets,
    "item_ids": lambda model: model.items.table.blob,
    "item_id_offsets": lambda model: model.items.table.offsets,
    "user_embedding": lambda model: model.factors.user_embedding,
    "user_bias": lambda model: model.factors.user_bias,
    "item_direction": lambda model: model.factors.item_direction,
    "item_direction_num": lambda model: model.factors.item_direction_num,
    "item_scale": lambda model: model.factors.item_scale,
    "item_bias": lambda model: model.factors.item_bias,
    "history_offsets": lambda model: model.histories.offsets,
    "history_item_num": lambda model: model.histories.item_num,
    "history_rating": lambda model: model.histories.rating,
    "titles": lambda model: model.titles.blob,
    "title_offsets": lambda model: model.titles.offsets,
    "tfidf_offsets": lambda model: model.title_vectors.offsets,
    "tfidf_term": lambda model: model.title_vectors.term,
    "tfidf_weight": lambda model: model.title_vectors.weight,
    "item_count": lambda model: model.item_count,
}


def save(model: Model, folder: Path) -> None:
    """Write the model folder; config.json comes last, so a folder that is cut short has none and is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    files = {}
    for name, array_of in ARRAYS.items():
        path = _array_file(folder, name)
        np.save(path, array_of(model), allow_pickle=False)
        files[path.name] = _fingerprint(path)
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "hyperparameters": model.config.model_dump(),
        "global_mean": model.factors.global_mean,
        "num_title_terms": model.title_vectors.num_terms,
        "files": files,
    }
    temporary = folder / (CONFIG_FILE + ".tmp")
    temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / CONFIG_FILE)


def clear(folder: Path) -> None:
    """Remove the files of a model, and only those, config.json first."""
    names = [CONFIG_FILE, CONFIG_FILE + ".tmp", *(_array_file(folder, name).name for name in ARRAYS)]
    for name in names:
        (folder / name).unlink(missing_ok=True)


def load(folder: Path) -> Model:
    """The model, its arrays mapped into memory, every file verified by its checksum.

    Reads each file once from end to end; O(bytes of the folder).

    Raises:
        ArtifactError: names the file that is missing, truncated, altered or of a future version.
    """
    config = _read_config(folder)
    arrays = {name: _load_array(folder, name, config["files"]) for name in ARRAYS}
    try:
        model = _assemble(config, arrays)
        _check_sizes(model)
    except (ConfigError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{folder / CONFIG_FILE}: does not describe a model: {error}") from None
    return model


def num_bytes(folder: Path) -> int:
    """Size of the model folder in bytes."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    yield folder / CONFIG_FILE
    yield from (_array_file(folder, name) for name in ARRAYS)


def _array_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _fingerprint(path: Path) -> dict[str, int | str]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG_BYTES))
    except FileNotFoundError:
        raise ArtifactError(
            f"{path}: is missing; expected a model folder that train.py has written. "
            f"For a local run {BASE_DIR} names the folder in which model/ lies"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: can't be read as JSON: {error}") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ArtifactError(f"{path}: expected format {FORMAT!r}, as train.py writes it")
    if config.get("format_version") != FORMAT_VERSION:
        version = shown(config.get("format_version"))
        raise ArtifactError(
            f"{path}: format_version is {version}, this server reads {FORMAT_VERSION}: "
            "train again, or serve with the version that wrote it"
        )
    if not isinstance(config.get("files"), dict):
        raise ArtifactError(f"{path}: 'files' is missing; expected size and sha256 of each file")
    return config


def _load_array(folder: Path, name: str, files: dict[str, Any]) -> np.ndarray:
    path = _array_file(folder, name)
    try:
        found = _fingerprint(path)
        expected = files[path.name]
        if found["bytes"] != expected["bytes"]:
            raise ArtifactError(
                f"{path}: has {found['bytes']} bytes, expected {expected['bytes']}: truncated or altered"
            )
        if found["sha256"] != expected["sha256"]:
            raise ArtifactError(f"{path}: its SHA-256 is not the one in {CONFIG_FILE}: the file was altered")
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: can't be loaded: {type(error).__name__}: {error}") from None


def _assemble(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> Model:
    hyperparameters = TrainConfig.from_hyperparameters(config["hyperparameters"], CONFIG_FILE)
    return Model(
        config=hyperparameters,
        users=Vocabulary(StringTable(arrays["user_ids"], arrays["user_id_offsets"])),
        items=Vocabulary(StringTable(arrays["item_ids"], arrays["item_id_offsets"])),
        factors=Factors(
            global_mean=float(config["global_mean"]),
            user_embedding=arrays["user_embedding"],
            user_bias=arrays["user_bias"],
            item_direction=arrays["item_direction"],
            item_direction_num=arrays["item_direction_num"],
            item_scale=arrays["item_scale"],
            item_bias=arrays["item_bias"],
            rating_range=hyperparameters.prediction_range,
        ),
        histories=Histories(arrays["history_offsets"], arrays["history_item_num"], arrays["history_rating"]),
        titles=StringTable(arrays["titles"], arrays["title_offsets"]),
        title_vectors=TitleVectors(
            arrays["tfidf_offsets"], arrays["tfidf_term"], arrays["tfidf_weight"], int(config["num_title_terms"])
        ),
        item_count=arrays["item_count"],
    )


def _check_sizes(model: Model) -> None:
    factors = model.factors
    of_items: list[Sized] = [factors.item_direction_num, factors.item_scale, factors.item_bias]
    of_items += [model.titles, model.item_count, model.title_vectors.offsets[1:]]
    of_users: list[Sized] = [factors.user_embedding, factors.user_bias, model.histories.offsets[1:]]
    for what, vocabulary, tables in (("item", model.items, of_items), ("user", model.users, of_users)):
        if {len(table) for table in tables} != {len(vocabulary)}:
            raise ValueError(f"the {what} tables do not all have {len(vocabulary)} rows")
    if factors.user_embedding.shape[1:] != factors.item_direction.shape[1:]:
        raise ValueError("user and item embeddings differ in their dimension")
