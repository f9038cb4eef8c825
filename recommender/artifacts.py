"""The model folder: everything the server needs, and nothing else.

A folder of `storage`: arrays, memory-mapped when they are loaded, so that workers share one copy, and
config.json with the hyper-parameters. The same model gives the same bytes.
"""

import math
from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender import storage
from recommender.config import TrainConfig
from recommender.container import BASE_DIR
from recommender.data.histories import Histories
from recommender.data.strings import StringTable, Vocabulary
from recommender.errors import ArtifactError, ConfigError
from recommender.models.factors import Factors
from recommender.rerank.vectors import TitleVectors

FORMAT = "two-stage-recommender"
FORMAT_VERSION = 1


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
    """Write the model folder.

    Raises:
        ArtifactError: a file cannot be written.
    """
    clear(folder)
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "hyperparameters": model.config.of_model,
        "global_mean": model.factors.global_mean,
        "num_title_terms": model.title_vectors.num_terms,
    }
    storage.save(folder, config, {name: array_of(model) for name, array_of in ARRAYS.items()})


def clear(folder: Path) -> None:
    """Remove the files of a model, and only those."""
    storage.clear(folder, ARRAYS)


def is_complete(folder: Path) -> bool:
    """Whether `save` has come to its end."""
    return (folder / storage.CONFIG_FILE).exists()


def load(folder: Path) -> Model:
    """The model, its arrays mapped into memory, every file verified by its checksum.

    Reads each file once from end to end; O(bytes of the folder).

    Raises:
        ArtifactError: names the file that is missing, truncated, altered or of a future version.
    """
    hint = (
        "expected a model folder that train.py has written. "
        f"For a local run {BASE_DIR} names the folder in which model/ lies"
    )
    config = storage.load_config(folder, FORMAT, FORMAT_VERSION, hint)
    arrays = {name: storage.load_array(folder, name, config) for name in ARRAYS}
    try:
        model = _assemble(config, arrays)
        _check(model)
    except (ConfigError, ValueError, TypeError, KeyError) as error:
        path = folder / storage.CONFIG_FILE
        raise ArtifactError(f"{path}: does not describe a model: {type(error).__name__}: {error}") from None
    return model


def num_bytes(folder: Path) -> int:
    """Size of the model folder in bytes."""
    files = [folder / storage.CONFIG_FILE, *(storage.array_file(folder, name) for name in ARRAYS)]
    return sum(path.stat().st_size for path in files)


def _assemble(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> Model:
    hyperparameters = TrainConfig.from_hyperparameters(config["hyperparameters"], storage.CONFIG_FILE)
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


def _check(model: Model) -> None:
    factors = model.factors
    if not math.isfinite(factors.global_mean):
        raise ValueError("global_mean is not a finite number")
    if len(model.title_vectors.term) and int(model.title_vectors.term.max()) >= model.title_vectors.num_terms:
        raise ValueError("num_title_terms is smaller than the terms of the titles")
    of_items: list[Sized] = [factors.item_direction_num, factors.item_scale, factors.item_bias]
    of_items += [model.titles, model.item_count, model.title_vectors.offsets[1:]]
    of_users: list[Sized] = [factors.user_embedding, factors.user_bias, model.histories.offsets[1:]]
    for what, vocabulary, tables in (("item", model.items, of_items), ("user", model.users, of_users)):
        if {len(table) for table in tables} != {len(vocabulary)}:
            raise ValueError(f"the {what} tables do not all have {len(vocabulary)} rows")
    if factors.user_embedding.shape[1:] != factors.item_direction.shape[1:]:
        raise ValueError("user and item embeddings differ in their dimension")
