"""The model folder: everything the server needs, and nothing else.

It has arrays, and config.json with the hyper-parameters. Loading copies the arrays into memory, which forked workers
share, and checks every value that could make a response fail. The folder's own arrays are IDs, histories and titles;
each component adds `<component>.<array>.npy`, and each attribute of the items
`attributes.<position>_<array>.npy`. The same model gives the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.attributes import attributes as item_attributes
from recommender.attributes.attributes import Attributes
from recommender.candidates import SOURCES
from recommender.candidates.base import Source
from recommender.common import array_folder
from recommender.common.files import only_process
from recommender.common.messages import shown
from recommender.components.base import Array, ArrayError, Component, check_arrays
from recommender.data.event_types import MAX_WEIGHT
from recommender.data.histories import OLDEST, Histories
from recommender.data.vocabulary import MAX_ID_CHARACTERS, MAX_TITLE_CHARACTERS, StringTable, Vocabulary
from recommender.errors import ArtifactError, ConfigError
from recommender.hyperparameters import COMPONENTS, TrainConfig
from recommender.ranking.base import Feature
from recommender.ranking.features import FEATURES
from recommender.ranking.learned import LearnedRanking

FORMAT = "two-stage-recommender"
FORMAT_VERSION = 5
MAX_SECONDS = 2**40  # of a time, either way; Python's whole numbers have no end
MOST_WEIGHT = 1e9  # of a column of the learned ranking


@dataclass(frozen=True)
class Model:
    """A fitted model, which training passes to serving.

    Attributes:
        config: the hyper-parameters of the training.
        users, items: IDs of the rows.
        histories: the ratings of every user.
        titles: the title of every item, '' if unknown.
        sources: the candidate sources and the fallback sources, by name.
        features: the ranking features, by name.
        ranking: the learned ranking of the pipeline auto; None in the pipeline paper.
        attributes: the attributes of the items.
        questionnaire: (n,) int32, the items to ask a new user about, in their order.
    """

    config: TrainConfig
    users: Vocabulary
    items: Vocabulary
    histories: Histories
    titles: StringTable
    sources: Mapping[str, Source] = field(default_factory=dict)
    features: Mapping[str, Feature] = field(default_factory=dict)
    ranking: LearnedRanking | None = None
    attributes: Attributes = field(default_factory=Attributes)
    questionnaire: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def components(self) -> dict[str, Component]:
        """Sources and features, by name."""
        return {**self.sources, **self.features}

    @cached_property
    def num_events(self) -> NDArray[np.int64]:
        """The number of events of every item, (num_items,) int64; O(events), once."""
        return np.bincount(self.histories.item_num, minlength=len(self.items))


# File name without .npy -> the array, for arrays that belong to no component.
ARRAYS: dict[str, Callable[[Model], np.ndarray]] = {
    "user_ids": lambda model: model.users.table.blob,
    "user_id_offsets": lambda model: model.users.table.offsets,
    "item_ids": lambda model: model.items.table.blob,
    "item_id_offsets": lambda model: model.items.table.offsets,
    "history_offsets": lambda model: model.histories.offsets,
    "history_item_num": lambda model: model.histories.item_num,
    "history_rating": lambda model: _or_empty(model.histories.rating),
    "history_time": lambda model: model.histories.time,
    "history_weight": lambda model: _or_empty(model.histories.weight),
    "titles": lambda model: model.titles.blob,
    "title_offsets": lambda model: model.titles.offsets,
    "questionnaire": lambda model: model.questionnaire,
}
MAY_BE_EMPTY = {"history_rating", "history_weight"}  # without ratings; if every event counts 1


def save(model: Model, folder: Path) -> None:
    """Write the model folder; an earlier model stays until the new one is whole.

    Raises:
        ArtifactError: a file cannot be written.
    """
    stage(model, folder)
    array_folder.publish(folder)


def stage(model: Model, folder: Path) -> Path:
    """Write a model next to the one that is in the folder; return where it can be loaded, see `replacing`.

    Raises:
        ArtifactError: a file cannot be written.
    """
    arrays = {name: array_of(model) for name, array_of in ARRAYS.items()}
    arrays |= model.attributes.arrays()
    values: dict[str, dict[str, float]] = {}
    for name, component in model.components.items():
        own, numbers = component.save()
        arrays |= {file_of(name, array): own[array] for array in component.arrays}
        values[name] = dict(numbers)
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "hyperparameters": model.config.of_model,
        "components": values,
        "attributes": model.attributes.description,
        "newest_event": model.histories.newest,
        "ranking": None if model.ranking is None else dict(vars(model.ranking)),
    }
    return array_folder.stage(folder, config, arrays)


@contextmanager
def replacing(folder: Path) -> Iterator[None]:
    """Publish the model that the block stages, if any; an earlier model stays until then.

    If the block fails, nothing is published. After a stop signal a model that is whole is published: it can be served.

    Raises:
        ArtifactError: the folder can't be written.
        BusyFolderError: another process is in such a block for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"{folder}: can't be written ({error}): expected a folder for the model") from None
    with only_process(folder, "give this job another --base-dir"):
        try:
            yield
        except Exception:
            array_folder.discard(folder)
            raise
        finally:
            if array_folder.is_staged(folder):
                array_folder.publish(folder)
            array_folder.discard(folder)


def file_of(component: str, array: str) -> str:
    """Return the file name without .npy of a component's array."""
    return f"{component}.{array}"


def array_names(components: Mapping[str, type[Component] | Component]) -> list[str]:
    """Return the file names without .npy of a model with these components."""
    own = [file_of(name, array) for name, component in components.items() for array in component.arrays]
    return [*ARRAYS, *own]


def clear(folder: Path) -> None:
    """Remove the files of a model, also of one that another version wrote, and no other files."""
    own = [*array_names(COMPONENTS), *item_attributes.all_array_names()]
    array_folder.clear(folder, {*own, *array_folder.listed(folder, FORMAT)})


def load(folder: Path, sha256: str | None = None) -> Model:
    """Load a model: copy the arrays into memory, verify each by its checksum, and check it against the configuration.

    Each file is read once from end to end; O(bytes of the folder). If another model replaces this one meanwhile, that
    one is loaded. A checksum finds damage only, since it is in the folder itself; so the checks do not rely on it.
    `sha256` refuses any other model.

    Args:
        folder: the model folder.
        sha256: the SHA-256 of config.json, which has the checksums of all other files; None: any.

    Raises:
        ArtifactError: a file is missing, truncated, altered, of another version or not as declared; the message names
            it.
    """
    while True:
        before = _configs(folder)
        try:
            return _loaded(folder, sha256)
        except ArtifactError:
            if _configs(folder) == before:
                raise


def _configs(folder: Path) -> list[tuple[int, int] | None]:
    """Return the identity of the folder's config.json, and of the one that replaces it."""
    paths = (folder / array_folder.CONFIG_FILE, folder / array_folder.NEW / array_folder.CONFIG_FILE)
    found = [path.stat() if path.is_file() else None for path in paths]
    return [None if status is None else (status.st_ino, status.st_mtime_ns) for status in found]


def _loaded(folder: Path, sha256: str | None) -> Model:
    inner = folder / "model"
    is_job = (inner / array_folder.CONFIG_FILE).exists()
    hint = f"did you mean {inner}?" if is_job else "expected a model folder that train.py has written"
    config = array_folder.load_config(folder, FORMAT, FORMAT_VERSION, hint, sha256)
    path = folder / array_folder.CONFIG_FILE
    try:
        values = {name: _object(own, name) for name, own in _object(config["components"], "components").items()}
        _check_installed(path, values)
        given = _object(config["hyperparameters"], "hyperparameters")
        hyperparameters = TrainConfig.from_hyperparameters(given, path.name)
        components = {name: COMPONENTS[name] for name in values}
        if not values.keys() & {*hyperparameters.source_names, *hyperparameters.fallback_names}:
            raise ValueError(f"components: expected one of {', '.join(hyperparameters.source_names)}")
        newest, ranking = _newest_event(config["newest_event"]), _ranking(config["ranking"])
        attributes = item_attributes.checked_description(config["attributes"])
    except (ConfigError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: does not describe a model: {type(error).__name__}: {error}") from None
    names = [*array_names(components), *item_attributes.array_names(attributes)]
    arrays = array_folder.load_arrays(folder, names, config)
    try:
        return _assembled(hyperparameters, components, arrays, values, newest, ranking, attributes)
    except ArrayError as error:
        raise ArtifactError(f"{array_folder.array_file(folder, error.array)}: {error.problem}") from None
    except (ConfigError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: does not describe a model: {type(error).__name__}: {error}") from None


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected an object, got {shown(value)}")
    return value


def _check_installed(path: Path, names: Iterable[str]) -> None:
    missing = sorted(set(names) - COMPONENTS.keys())
    if missing:
        raise ArtifactError(
            f"{path}: the model uses {', '.join(map(shown, missing))}, which this installation does not have: add the "
            "file of that source or feature, or train again"
        )


def num_bytes(folder: Path) -> int:
    """Return the size of the model folder in bytes."""
    arrays = [array_folder.array_file(folder, name) for name in array_folder.listed(folder, FORMAT)]
    return sum(path.stat().st_size for path in [folder / array_folder.CONFIG_FILE, *arrays])


def _assembled(
    config: TrainConfig,
    components: Mapping[str, type[Component]],
    arrays: Mapping[str, np.ndarray],
    values: Mapping[str, dict[str, Any]],
    newest: int | None,
    ranking: LearnedRanking | None,
    attributes: Sequence[Mapping[str, str]],
) -> Model:
    declared = _declared(config, newest)
    kept = {name: array for name, array in declared.items() if arrays[name].size or name not in MAY_BE_EMPTY}
    check_arrays(kept, arrays, {})
    users, items = _vocabulary("user_id", arrays), _vocabulary("item_id", arrays)
    titles = StringTable(arrays["titles"], arrays["title_offsets"])
    with _naming("titles"):
        titles.check(MAX_TITLE_CHARACTERS)
    rating, weight = (arrays[name] if name in kept else None for name in ("history_rating", "history_weight"))
    events = arrays["history_item_num"], rating, arrays["history_time"], weight
    histories = Histories(arrays["history_offsets"], *events, newest)
    with _naming("history_time"):
        histories.check()
    if not len(items):
        raise ArrayError("item_id_offsets", "expected at least one item")

    def loaded(names: Mapping[str, type[Component]]) -> Iterator[tuple[str, Any]]:
        for name, component in names.items():
            own = {array: arrays[file_of(name, array)] for array in component.arrays}
            options = config.of(component.Options)
            yield name, component.checked(own, values[name], options, len(users), len(items))

    found = dict(loaded(components))
    of_items = Attributes.load(attributes, arrays, len(items))
    if config.parent_attribute:
        of_items.check_shared(config.parent_attribute)
    _check_ranking(ranking, config, found)
    return Model(
        config=config,
        users=users,
        items=items,
        histories=histories,
        titles=titles,
        sources={name: part for name, part in found.items() if name in SOURCES},
        features={name: part for name, part in found.items() if name in FEATURES},
        ranking=ranking,
        attributes=of_items,
        questionnaire=arrays["questionnaire"],
    )


def _or_empty(column: np.ndarray | None) -> np.ndarray:
    return np.empty(0, np.float32) if column is None else column


def _declared(config: TrainConfig, newest: int | None) -> dict[str, Array]:
    """Return the requirements for the arrays that belong to no component."""
    low, high = (float(np.float32(rating)) for rating in (config.rating_min, config.rating_max))
    times = Array(np.int32, ("events",), below="events") if newest is None else Array(np.int32, ("events",), OLDEST, 0)
    return {
        "user_ids": Array(np.uint8, ("user_bytes",)),
        "user_id_offsets": Array(np.int64, ("users+1",), offsets_of="user_bytes"),
        "item_ids": Array(np.uint8, ("item_bytes",)),
        "item_id_offsets": Array(np.int64, ("items+1",), offsets_of="item_bytes"),
        "history_offsets": Array(np.int64, ("users+1",), offsets_of="events"),
        "history_item_num": Array(np.int32, ("events",), below="items"),
        "history_rating": Array(np.float32, ("events",), low, high),
        "history_time": times,
        "history_weight": Array(np.float32, ("events",), 0, MAX_WEIGHT**2),  # of the event times that of its type
        "titles": Array(np.uint8, ("title_bytes",)),
        "title_offsets": Array(np.int64, ("items+1",), offsets_of="title_bytes"),
        "questionnaire": Array(np.int32, ("questions",), below="items"),
    }


def _vocabulary(name: str, arrays: Mapping[str, np.ndarray]) -> Vocabulary:
    found = Vocabulary(StringTable(arrays[f"{name}s"], arrays[f"{name}_offsets"]))
    with _naming(f"{name}s"):
        found.table.check(MAX_ID_CHARACTERS)
        found.check()
    return found


@contextmanager
def _naming(array: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ArrayError(array, str(error)) from None


def _newest_event(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_SECONDS):
        return value
    raise ValueError(f"newest_event: expected a whole number of seconds since 1970 or null, got {shown(value)}")


def _ranking(value: object) -> LearnedRanking | None:
    if value is None:
        return None
    given = _object(value, "ranking")
    of_session = given.get("session_weights")
    return LearnedRanking(_weights(given.get("weights")), None if of_session is None else _weights(of_session))


def _weights(value: object) -> dict[str, float]:
    weights = _object(value, "ranking")
    for name, weight in weights.items():
        if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 <= weight < MOST_WEIGHT:
            raise ValueError(
                f"ranking: expected a weight of {shown(name)} from 0 to {MOST_WEIGHT:g}, got {shown(weight)}"
            )
    return {name: float(weight) for name, weight in weights.items()}


def _check_ranking(ranking: LearnedRanking | None, config: TrainConfig, found: Mapping[str, Component]) -> None:
    """Check that the ranking is that of the configuration's pipeline, and has columns of ranked components only."""
    if (ranking is not None) != (config.pipeline == "auto"):
        expected = "the weights of the pipeline auto" if ranking is None else "null in the pipeline paper"
        raise ValueError(f"ranking: expected {expected}, got {'null' if ranking is None else 'weights'}")
    if ranking is not None:
        ranked = [name for name in (*config.source_names, *config.scored_names, *config.features) if name in found]
        ranking.check(ranked, [name for name in ranked if found[name].is_content])
