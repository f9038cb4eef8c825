"""The model folder: errors name damaged files, and nothing is unpickled."""

import json
import mmap
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.job import Job

from recommender.artifacts import model_folder
from recommender.attributes.attributes import array_names
from recommender.common import array_folder
from recommender.errors import ArtifactError
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.ranking.features import FEATURES
from recommender.ranking.features.candidate_score import CandidateScore

KINDS = {
    "main_category": "text", "categories": "texts", "store": "text", "price": "number", "average_rating": "number",
    "rating_number": "number",
}  # fmt: skip
ATTRIBUTES = [{"name": name, "type": kind} for name, kind in KINDS.items()]
NAMES = [*model_folder.array_names(TrainConfig().components), *array_names(ATTRIBUTES)]
ARRAYS = [f"{name}.npy" for name in NAMES]
FILES = sorted([*ARRAYS, array_folder.CONFIG_FILE])


def test_the_folder_has_only_the_files_of_the_model(trained: Job) -> None:
    assert trained.model_files == FILES


def test_a_loaded_model_equals_the_saved_one(trained: Job, tmp_path: Path) -> None:
    model = model_folder.load(trained.container.model_dir)
    model_folder.save(model, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (trained.container.model_dir / name).read_bytes(), name


def test_loaded_arrays_are_read_only_and_copied_once(trained: Job) -> None:
    model = model_folder.load(trained.container.model_dir)
    arrays = {name: array_of(model) for name, array_of in model_folder.ARRAYS.items()}
    for name, component in model.components.items():
        arrays |= {f"{name}.{array}": values for array, values in component.save()[0].items()}
    arrays |= model.attributes.arrays()
    assert sorted(f"{name}.npy" for name in arrays) == [name for name in FILES if name != array_folder.CONFIG_FILE]
    empty = {"history_weight"}  # every event counts 1
    assert {name for name, array in arrays.items() if not array.size} == empty
    for name in arrays.keys() - empty:
        array = arrays[name]
        base: object = array
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, memoryview), f"{name} is a copy of the memory that workers share"
        assert isinstance(base.obj, mmap.mmap), name
        assert not array.flags.writeable, name


@pytest.mark.parametrize("name", FILES)
def test_the_error_names_a_missing_file(trained_copy: Job, name: str) -> None:
    (trained_copy.container.model_dir / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: is missing"):
        model_folder.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("name", FILES)
def test_the_error_names_a_truncated_file(trained_copy: Job, name: str) -> None:
    file = trained_copy.container.model_dir / name
    file.write_bytes(file.read_bytes()[:-1])
    if name == array_folder.CONFIG_FILE:  # its last byte is a line feed
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=name):
        model_folder.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("name", [name for name in FILES if name != array_folder.CONFIG_FILE])
def test_the_error_names_the_file_with_one_altered_bit(trained_copy: Job, name: str) -> None:
    file = trained_copy.container.model_dir / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name}.*altered"):
        model_folder.load(trained_copy.container.model_dir)


def set_version(config: dict[str, Any]) -> None:
    config["format_version"] = model_folder.FORMAT_VERSION + 1


def drop_files(config: dict[str, Any]) -> None:
    del config["files"]


def drop_mean(config: dict[str, Any]) -> None:
    del config["components"]["factorization"]["global_mean"]


def other_format(config: dict[str, Any]) -> None:
    config["format"] = "something else"


def unknown_hyperparameter(config: dict[str, Any]) -> None:
    config["hyperparameters"]["colour"] = "red"


def spoil_mean(config: dict[str, Any]) -> None:
    config["components"]["factorization"]["global_mean"] = float("nan")


def spoil_days(config: dict[str, Any]) -> None:
    config["components"]["popularity"]["period_days"] = 0.0


def text_for_days(config: dict[str, Any]) -> None:
    config["components"]["popularity"]["period_days"] = "1"


def endless_days(config: dict[str, Any]) -> None:
    config["components"]["popularity"]["period_days"] = 10**400


def drop_ranking(config: dict[str, Any]) -> None:
    del config["ranking"]


def drop_newest_event(config: dict[str, Any]) -> None:
    del config["newest_event"]


def ranking_of_another_pipeline(config: dict[str, Any]) -> None:
    config["hyperparameters"]["pipeline"] = "paper"


def fallback_is_not_ranked(config: dict[str, Any]) -> None:
    config["hyperparameters"]["candidate_sources"] = "ease"
    config["ranking"] = {"weights": {"log popularity": 1.0}, "session_weights": None}


def older(config: dict[str, Any]) -> None:
    config["format_version"] = 3


def drop_component(config: dict[str, Any]) -> None:
    del config["components"]["factorization"]


def other_width(config: dict[str, Any]) -> None:
    config["hyperparameters"]["embedding_dim"] = 17


def unknown_source(config: dict[str, Any]) -> None:
    config["hyperparameters"]["candidate_sources"] = "of_tomorrow"


def component_of_tomorrow(config: dict[str, Any]) -> None:
    config["components"]["of_tomorrow"] = {}


def listed_components(config: dict[str, Any]) -> None:
    config["components"] = ["factorization"]


def component_without_values(config: dict[str, Any]) -> None:
    config["components"]["factorization"] = 7


def listed_hyperparameters(config: dict[str, Any]) -> None:
    config["hyperparameters"] = []


def drop_fingerprint(config: dict[str, Any]) -> None:
    config["files"]["titles.npy"] = None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_version, "format_version is 6, this version reads 5: train again"),
        (drop_files, "'files' has no size"),
        (drop_mean, "global_mean"),
        (other_format, "expected format"),
        (unknown_hyperparameter, "'colour'"),
        (drop_fingerprint, "titles.npy"),
        (spoil_mean, "global_mean: expected a number up to 1e.15, got nan"),
        (spoil_days, "popularity.period_days: expected the length of the periods, at least 1, got 0"),
        (text_for_days, "popularity.period_days: expected a number up to 1e.15, got '1'"),
        (endless_days, "popularity.period_days: expected a number up to 1e.15, got 1000"),
        (drop_ranking, "ranking"),
        (drop_newest_event, "newest_event"),
        (ranking_of_another_pipeline, "ranking: expected null in the pipeline paper, got weights"),
        (fallback_is_not_ranked, "ranking: the model has no column 'log popularity'"),
        (older, "format_version is 3, this version reads 5: train again"),
        (drop_component, "factorization"),
        (other_width, r"user_embedding.npy: expected the shape users \(\d+\) x embedding_dim \(17\), got \d+ x 16"),
        (unknown_source, "candidate_sources"),
        (listed_components, "components: expected an object, got a list of 1"),
        (component_without_values, "factorization: expected an object, got 7"),
        (listed_hyperparameters, "hyperparameters: expected an object, got a list of 0"),
        (component_of_tomorrow, "the model uses 'of_tomorrow', which this installation does not have"),
    ],
)
def test_the_error_names_a_config_that_the_server_cannot_serve(
    trained_copy: Job, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    assert re.search(expected, problem(trained_copy, change))


def problem(job: Job, change: Callable[[dict[str, Any]], None]) -> str:
    """Load a model with another configuration and its valid checksum; return the error."""
    file = job.container.model_dir / array_folder.CONFIG_FILE
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(array_folder.signed(config)))
    with pytest.raises(ArtifactError) as error:
        model_folder.load(job.container.model_dir)
    return str(error.value)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        ({"of_tomorrow": 1.0}, "the model has no column 'of_tomorrow'"),
        ({"ease": 1.0, "log of_tomorrow": 1.0}, "the model has no column 'log of_tomorrow'"),
        ({"ease x titles": 1.0}, "the model has no column 'ease x titles'"),  # contents come first
        ({"log titles x ease": 1.0}, "the model has no column 'log titles x ease'"),
        ({"titles x titles": 1.0}, "the model has no column 'titles x titles'"),
        ({"title_similarity": 1.0}, "the model has no column 'title_similarity'"),
        ({"ease": -0.5}, "expected a weight of 'ease' from 0 to 1e+09, got -0.5"),
        ({"ease": float("nan")}, "expected a weight of 'ease' from 0 to 1e+09, got nan"),
        ({"ease": float("inf")}, "expected a weight of 'ease' from 0 to 1e+09, got inf"),
        ({"ease": 10**400}, "expected a weight of 'ease' from 0 to 1e+09, got 1000"),
        ({"ease": True}, "expected a weight of 'ease' from 0 to 1e+09, got true"),
        ({"ease": None}, "expected a weight of 'ease' from 0 to 1e+09, got null"),
        ({"ease": "1"}, "expected a weight of 'ease' from 0 to 1e+09, got '1'"),
        ({"ease": [1.0]}, "expected a weight of 'ease' from 0 to 1e+09, got a list of 1"),
        (["ease"], "expected an object, got a list of 1"),
        ("ease", "expected an object, got 'ease'"),
        (1.0, "expected an object, got 1.0"),
    ],
)
def test_the_error_names_invalid_weights(trained_copy: Job, ranking: object, expected: str) -> None:
    for name in ("weights", "session_weights"):
        given = {"weights": {}, name: ranking}
        assert f"ranking: {expected}" in problem(trained_copy, lambda config: config.update(ranking=given))  # noqa: B023


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (None, "expected the weights of the pipeline auto, got null"),
        ("ease", "expected an object, got 'ease'"),
        ({}, "expected an object, got null"),
        ({"session_weights": {}}, "expected an object, got null"),
    ],
)
def test_the_error_names_an_invalid_ranking(trained_copy: Job, ranking: object, expected: str) -> None:
    assert f"ranking: {expected}" in problem(trained_copy, lambda config: config.update(ranking=ranking))


@pytest.mark.parametrize("newest", ["2020-01-01", "1577836800", 1.5, True, [], {}, float("nan"), 10**400])
def test_the_error_names_an_invalid_time_of_the_newest_event(trained_copy: Job, newest: object) -> None:
    found = problem(trained_copy, lambda config: config.update(newest_event=newest))
    assert "newest_event: expected a whole number of seconds since 1970 or null, got " in found
    assert found.isprintable()
    assert len(found) < 400


def test_the_error_names_title_vectors_with_too_many_terms(paper_copy: Job) -> None:
    def spoil_terms(config: dict[str, Any]) -> None:
        config["components"]["title_similarity"]["num_terms"] = 1

    assert "title_similarity.term.npy: expected numbers from 0 to 0, got 0 to " in problem(paper_copy, spoil_terms)


def test_a_model_of_the_pipeline_paper_has_no_ranking(paper_copy: Job) -> None:
    assert model_folder.load(paper_copy.container.model_dir).ranking is None
    found = problem(paper_copy, lambda config: config.update(ranking={"weights": {"factorization": 1.0}}))
    assert "ranking: expected null in the pipeline paper, got weights" in found


@pytest.mark.parametrize(("found", "other"), [('"global_mean": ', '"global_mean": 9'), ('"seed": 0', '"seed": 1')])
def test_the_error_names_an_altered_config(trained_copy: Job, found: str, other: str) -> None:
    file = trained_copy.container.model_dir / array_folder.CONFIG_FILE
    assert found in file.read_text()
    file.write_text(file.read_text().replace(found, other))
    with pytest.raises(ArtifactError, match=r"config\.json: .* was altered"):
        model_folder.load(trained_copy.container.model_dir)


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"', "[" * 100_000, '{"format": "two-stage-recommender"}'])
def test_the_error_names_a_config_that_train_does_not_write(trained_copy: Job, content: str) -> None:
    (trained_copy.container.model_dir / array_folder.CONFIG_FILE).write_text(content)
    with pytest.raises(ArtifactError, match=r"config\.json"):
        model_folder.load(trained_copy.container.model_dir)


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (open, ("exploded", "w"))  # type: ignore[return-value]


def test_a_pickled_array_is_refused_and_not_executed(
    trained_copy: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load a model with a pickled array and valid checksums."""
    monkeypatch.chdir(tmp_path)
    folder = trained_copy.container.model_dir
    np.save(folder / "titles.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert pickle.PROTO in (folder / "titles.npy").read_bytes()
    config = json.loads((folder / array_folder.CONFIG_FILE).read_text())
    config["files"]["titles.npy"] = array_folder.fingerprint(folder / "titles.npy")
    (folder / array_folder.CONFIG_FILE).write_text(json.dumps(array_folder.signed(config)))
    with pytest.raises(ArtifactError, match=r"titles\.npy"):
        model_folder.load(folder)
    assert not (tmp_path / "exploded").exists()


def replace_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Replace an array, with valid checksums."""
    np.save(folder / name, array)
    config = json.loads((folder / array_folder.CONFIG_FILE).read_text())
    config["files"][name] = array_folder.fingerprint(folder / name)
    (folder / array_folder.CONFIG_FILE).write_text(json.dumps(array_folder.signed(config)))


@pytest.mark.parametrize(
    ("name", "array", "expected"),
    [
        ("factorization.item_bias", np.zeros(3, np.float32), r"expected the shape items \(\d+\), got 3"),
        ("factorization.item_bias", np.zeros(250), "expected float32, got float64"),
        ("factorization.user_embedding", np.zeros((2, 16), np.float32), r"expected the shape users \(\d+\) x"),
        ("factorization.item_direction", np.zeros((9, 5), np.float32), r"any x embedding_dim \(16\), got 9 x 5"),
        ("popularity.item_count", np.zeros(3, np.float64), r"expected the shape items"),
        ("titles.offsets", np.zeros(3, np.int64), r"expected the shape items\+1"),
        ("ease.offsets", np.zeros(3, np.int64), r"ease.offsets.npy: expected the shape items\+1"),
        ("neighbours.item_num", np.zeros(3, np.int64), r"neighbours.item_num.npy: expected int32, got int64"),
        (
            "session_neighbours.score",
            np.zeros((3, 2), np.float32),
            r"session_neighbours.score.npy: expected the shape entries",
        ),
        (
            "implicit_mf.item_embedding",
            np.zeros((2, 64), np.float32),
            r"implicit_mf.item_embedding.npy: expected the shape",
        ),
        (
            "implicit_mf.inverse_gram",
            np.zeros((64, 63), np.float32),
            r"implicit_mf.inverse_gram.npy: expected the shape",
        ),
        ("history_time", np.zeros(3, np.int32), r"history_time.npy: expected the shape events \([\d,]+\), got 3"),
        ("history_rating", np.zeros(3, np.float32), r"history_rating.npy: expected the shape events \([\d,]+\), got 3"),
        ("history_weight", np.ones(3, np.float32), r"history_weight.npy: expected the shape events \([\d,]+\), got 3"),
        ("history_offsets", np.zeros(3, np.int64), r"history_offsets.npy: expected the shape users\+1 \(\d+\), got 3"),
        ("title_offsets", np.zeros(3, np.int64), r"title_offsets.npy: expected the shape items\+1 \(\d+\), got 3"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(
    trained_copy: Job, name: str, array: np.ndarray, expected: str
) -> None:
    replace_array(trained_copy.container.model_dir, f"{name}.npy", array)
    with pytest.raises(ArtifactError, match=expected):
        model_folder.load(trained_copy.container.model_dir)


Change = Callable[[np.ndarray], np.ndarray]


def shorter(array: np.ndarray) -> np.ndarray:
    return array[:-1]


def descending(offsets: np.ndarray) -> np.ndarray:
    """Return other offsets with the same first and last value."""
    return np.concatenate([offsets[:1], offsets[1:-1][::-1], offsets[-1:]])


def empty_rows(offsets: np.ndarray) -> np.ndarray:
    return np.zeros_like(offsets)


def too_large(numbers: np.ndarray) -> np.ndarray:
    return numbers + np.int32(10**6)


def below_zero(numbers: np.ndarray) -> np.ndarray:
    return -1 - numbers


DESCEND = "expected offsets that do not descend"
DIVIDE = "expected offsets from 0 to the"
BELOW = r"expected numbers from 0 to \d+, got"
ROWS = r"expected the shape \w+ \([\d,]+\), got"
ITEM_TABLES = ("ease", "neighbours", "session_neighbours")


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        *((f"{table}.offsets", descending, f"{table}.offsets.npy: {DESCEND}") for table in ITEM_TABLES),
        *((f"{table}.offsets", empty_rows, f"{table}.offsets.npy: {DIVIDE}") for table in ITEM_TABLES),
        *((f"{table}.score", shorter, rf"{table}.score.npy: {ROWS}") for table in ITEM_TABLES),
        *((f"{table}.item_num", too_large, f"{table}.item_num.npy: {BELOW}") for table in ITEM_TABLES),
        *((f"{table}.item_num", below_zero, f"{table}.item_num.npy: {BELOW}") for table in ITEM_TABLES),
        ("titles.offsets", descending, f"titles.offsets.npy: {DESCEND}"),
        ("titles.offsets", empty_rows, f"titles.offsets.npy: {DIVIDE}"),
        ("titles.term", too_large, f"titles.term.npy: {BELOW}"),
        ("titles.tfidf", shorter, f"titles.tfidf.npy: {ROWS}"),
        ("titles.term_offsets", descending, f"titles.term_offsets.npy: {DESCEND}"),
        ("titles.term_offsets", shorter, f"titles.term.npy: {BELOW}"),
        ("titles.term_offsets", empty_rows, f"titles.term_offsets.npy: {DIVIDE}"),
        ("titles.term_item_num", too_large, f"titles.term_item_num.npy: {BELOW}"),
        ("titles.term_item_num", below_zero, f"titles.term_item_num.npy: {BELOW}"),
        ("titles.term_tfidf", shorter, f"titles.term_tfidf.npy: {ROWS}"),
        ("popularity.period_offsets", descending, f"popularity.period_offsets.npy: {DESCEND}"),
        ("popularity.period_offsets", empty_rows, f"popularity.period_offsets.npy: {DIVIDE}"),
        ("popularity.period_item_num", too_large, f"popularity.period_item_num.npy: {BELOW}"),
        ("popularity.period_item_num", below_zero, f"popularity.period_item_num.npy: {BELOW}"),
        ("popularity.period_count", shorter, f"popularity.period_count.npy: {ROWS}"),
        ("implicit_mf.item_embedding", shorter, "implicit_mf.item_embedding.npy: expected the shape items"),
        ("implicit_mf.inverse_gram", shorter, "implicit_mf.inverse_gram.npy: expected the shape embedding_dim"),
        ("history_time", shorter, f"history_time.npy: {ROWS}"),
        ("history_item_num", shorter, f"history_rating.npy: {ROWS}"),
    ],
)
def test_arrays_of_a_source_that_do_not_belong_together_are_refused_by_name(
    trained_copy: Job, name: str, change: Change, expected: str
) -> None:
    folder = trained_copy.container.model_dir
    array = np.load(folder / f"{name}.npy")
    changed = change(array)
    assert changed.dtype == array.dtype
    replace_array(folder, f"{name}.npy", changed)
    with pytest.raises(ArtifactError, match=expected):
        model_folder.load(folder)


def test_a_new_model_removes_the_files_of_an_older_version_and_keeps_other_files(
    trained_copy: Job, tmp_path: Path
) -> None:
    folder = trained_copy.container.model_dir
    config = json.loads((folder / array_folder.CONFIG_FILE).read_text())
    for name in ("user_embedding.npy", "toy.order.npy"):
        (folder / name).write_bytes(b"old")
        config["files"][name] = {}
    config["files"]["../secret.npy"] = {}
    (folder.parent / "secret.npy").write_text("stays")
    (folder / "notes.txt").write_text("stays")
    (folder / array_folder.CONFIG_FILE).write_text(json.dumps(array_folder.signed({**config, "format_version": 1})))
    model_folder.clear(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt"]
    assert (folder.parent / "secret.npy").read_text() == "stays"


@pytest.mark.parametrize("pipeline", ["trained", "paper"])
def test_a_model_without_a_newer_feature_is_served(
    pipeline: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    job: Job = request.getfixturevalue(pipeline)
    members = {"name": "newer", "takes_the_rest": False, "only_paper": False}
    monkeypatch.setitem(FEATURES, "newer", type("Newer", (CandidateScore,), members))
    recommender = Recommender.load(job.container.model_dir)
    found = {"trained": [], "paper": ["candidate_score", "title_similarity"]}
    assert list(recommender.model.features) == found[pipeline]
    assert recommender.recommend(recommender.model.users.id(0)).items


def test_a_model_is_not_written_over_a_file(trained: Job, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user_id")
    with pytest.raises(ArtifactError, match=r"ratings\.csv.*: can't be written .*expected a folder"):
        Recommender.load(trained.container.model_dir).save(tmp_path / "ratings.csv")
    assert (tmp_path / "ratings.csv").read_text() == "user_id"
