"""train.py as SageMaker runs it: its files, its output, its errors."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.job import Job

from recommender.candidates import SOURCES
from recommender.candidates.factorization import Factorization
from recommender.cli import train
from recommender.components.query import Query
from recommender.config import as_written
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.training.metrics import metric_definitions

RATINGS = "user_id,item_id,rating\nu,a,5\nu,b,1\nv,a,4\nv,b,2\n"


def test_the_log_has_every_metric_once_and_metrics_json_has_them_all(trained: Job) -> None:
    for definition in metric_definitions():
        found = re.findall(definition["Regex"], trained.log)
        assert len(found) == 1, definition
        assert float(found[0]) == pytest.approx(trained.metrics[definition["Name"]], rel=1e-5)
    sizes = {"num_ratings", "num_users", "num_items", "model_bytes", "num_test_ratings", "num_iterations"}
    times = {f"seconds_{lap}" for lap in ("read", "choose", "fit", "save", "load", "evaluate")}
    assert trained.metrics.keys() >= sizes | times | {definition["Name"] for definition in metric_definitions()}


def test_metrics_json_has_the_learning_curve_that_the_log_shows(trained: Job) -> None:
    shown = re.findall(r"iteration_validation_rmse=([0-9.]+);", trained.log)
    metrics = trained.metrics
    curve = metrics["validation_rmse_by_iteration"]
    assert curve == pytest.approx([float(error) for error in shown], rel=1e-5)
    assert min(curve) == metrics["validation_rmse"] == curve[metrics["num_iterations"] - 1]


def test_the_same_job_twice_gives_the_same_bytes(trained: Job, trained_copy: Job) -> None:
    assert trained_copy.train_here().returncode == 0
    assert trained_copy.fingerprints == trained.fingerprints


def test_ratings_alone_are_enough(job: Job) -> None:
    job.write("train/a.csv", RATINGS)
    assert train.main([]) == 0
    assert "config.json" in job.model_files
    assert job.failure is None
    assert "test_rmse" not in job.metrics


def test_one_rating_is_enough(job: Job) -> None:
    job.write("train/a.csv", "user_id,item_id,rating\nu,a,5\n")
    assert train.main([]) == 0
    assert job.metrics["num_validation_ratings"] == 0


def test_test_rows_are_never_used_to_choose_anything(trained: Job, trained_copy: Job) -> None:
    shutil.rmtree(trained_copy.container.channel_dir("test"))
    trained_copy.write("test/test.csv", "user_id,item_id,rating\nstranger,thing,1\n")
    assert trained_copy.train_here().returncode == 0
    assert trained_copy.fingerprints == trained.fingerprints
    assert trained_copy.metrics["num_test_unknown_users"] == 1
    assert trained_copy.metrics["test_hit_rate_at_100"] == 0


def test_a_test_channel_without_ratings_has_hit_rates_and_no_rmse(job: Job) -> None:
    job.write("train/a.csv", RATINGS)
    job.write("test/t.csv", "user_id,item_id\nu,b\n")
    assert train.main([]) == 0
    assert "test_rmse" not in job.metrics
    assert job.metrics["num_test_ratings"] == 1
    assert "test_hit_rate_at_10" in job.metrics


def test_the_option_columns_applies_to_every_channel(job: Job) -> None:
    for name in ("train", "validation", "test"):
        job.write(f"{name}/a.csv", RATINGS.replace("user_id,item_id,rating", "visitor,thing,stars"))
    job.write("items/a.csv", "thing,label\na,Shirt\n")
    assert train.main(["--columns", "user_id=visitor,item_id=thing,rating=stars,title=label"]) == 0
    assert job.metrics["num_test_ratings"] == 4
    model = Recommender.load(job.container.model_dir).model
    assert [model.titles.text(number) for number in range(2)] == ["Shirt", ""]


@pytest.mark.parametrize("channel", ["validation", "test"])
def test_a_channel_with_another_unit_of_time_than_train_is_refused(job: Job, channel: str) -> None:
    job.write("train/a.csv", "user_id,item_id,rating,timestamp\nu,a,5,2018-09-20\nv,a,4,2018-09-21\n")
    job.write(f"{channel}/a.csv", "user_id,item_id,rating,timestamp\nu,a,5,1537401600\n")
    assert train.main([]) == 1
    assert job.failure is not None
    assert job.failure.startswith("expected times in one unit, got milliseconds in the training data and seconds in ")


# Hyper-parameter -> values: its own must change the model, the others are needed for the effect.
ADAM = {"solver": "adam", "max_epochs": "4", "learning_rate": "0.03", "batch_size": "16"}
CHANGED: dict[str, tuple[dict[str, str], str]] = {
    "model": ({}, "basic"),
    "solver": ({"max_epochs": "3"}, "adam"),
    "embedding_dim": ({}, "3"),
    "regularization": ({}, "9"),
    "user_bias_regularization": ({}, "9"),
    "item_bias_regularization": ({}, "1"),
    "max_sweeps": ({}, "1"),
    "max_epochs": (ADAM, "2"),
    "patience": ({"solver": "adam", "max_epochs": "40", "learning_rate": "1"}, "1"),
    "batch_size": (ADAM, "7"),
    "learning_rate": (ADAM, "0.05"),
    "weight_decay": (ADAM, "0.5"),
    "duplicates": ({}, "last"),
    "seed": ({}, "5"),
    "rating_min": ({}, "0"),
    "rating_max": ({}, "10"),
    "columns": ({}, "user_id=item_id,item_id=user_id"),
    "event_weights": ({}, "bought=2"),
    "rerank_weight": ({}, "0.5"),
    "pipeline": ({}, "auto"),
    "candidate_sources": ({}, "factorization,popularity"),
    "scored_sources": ({"pipeline": "auto", "candidate_sources": "factorization"}, "popularity"),
    "fallback_sources": ({}, "factorization"),
    "item_attributes": ({}, "store"),
    "parent_attribute": ({}, "store"),
}
# Besides config.json, they change different files.
FOLDER_ONLY = (
    "rerank_weight", "pipeline", "candidate_sources", "scored_sources", "fallback_sources", "item_attributes",
    "parent_attribute",
)  # fmt: skip
OTHERS = [name for name, (owner, _) in TrainConfig.owners.items() if owner in SOURCES.keys() - {Factorization.name}]
BOARD = [(user, item) for user in range(12) for item in range(12) if (user * 7 + item * 5) % 11]


@pytest.mark.parametrize("name", [name for name in TrainConfig().of_model if name not in OTHERS])
def test_every_hyper_parameter_has_an_effect(job: Job, name: str) -> None:
    """Check the effect on the model; for the range of ratings, on accepted data."""
    rows = [
        f"u{user},i{item},{5 if (user + item) % 2 else 1},{(user * 5 + item * 3) % 12},"
        f"{'bought' if (user + item) % 3 else 'viewed'}\n"
        for user, item in [*BOARD, (1, 1)]
    ]
    job.write("train/board.csv", "user_id,item_id,rating,timestamp,event_type\n" + "".join(rows))
    items = "".join(f"i{item},Item {item},{item % 3},S{item % 2}\n" for item in range(12))
    if name in ("item_attributes", "parent_attribute"):
        job.write("items/items.csv", "item_id,title,price,store\n" + items)
    needed, value = CHANGED[name]
    base = {"pipeline": "paper", "embedding_dim": "4", "max_sweeps": "5"} | needed
    job.write_hyperparameters(**base)
    assert train.main([]) == 0
    before, iterations = job.fingerprints, job.metrics["num_iterations"]
    assert iterations > 1 or name == "solver"
    if name in ("rating_min", "rating_max"):
        job.write("train/more.csv", f"user_id,item_id,rating,timestamp\nu,i,{value},1\n")
        assert train.main([]) == 1
    job.write_hyperparameters(**(base | {name: value}))
    assert train.main([]) == 0
    after = job.fingerprints
    changed = {file for file in before.keys() | after.keys() if before.get(file) != after.get(file)}
    assert changed >= {"config.json"} | (set() if name in FOLDER_ONLY else {"factorization.user_embedding.npy"})


# Option of a source -> a value that must change its candidates or scores.
OPTIONS = {
    "step_decay": "0.5",
    "day_scale": "1.0",
    "before_session": "0.05",
    "regularization": "9.0",
    "groups": "sessions",
    "num_entries": "3",
    "max_size": "3",
    "embedding_dim": "3",
    "confidence": "3.0",
    "num_sweeps": "1",
    "max_items": "3",
    "num_neighbours": "2",
    "length_power": "0.5",
    "popularity_power": "0.5",
    "history_power": "0.5",
    "distance_decay": "0.5",
    "backward": "0.5",
    "half_life": "1.0",
    "session_hours": "100.0",
    "max_words": "2",
    "max_items_per_term": "1",
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_option_of_a_source_changes_what_it_proposes_or_scores(job: Job, name: str) -> None:
    """Train with all other options of the source set, so that training chooses none of them."""
    places = [(user, item, (item + user % 5) % 12) for user, item in BOARD if item % 3]
    rows = [
        f"u{user},i{item},{1_600_000_000 + place * 10_000 + place // 6 * 50_000}\n"  # two sessions
        for user, item, place in places
    ]
    job.write("train/board.csv", "user_id,item_id,timestamp\n" + "".join(rows))
    titles = [f"i{item},{'wool' if item % 2 else 'silk'} {'scarf' if item % 4 else 'dress'}\n" for item in range(12)]
    job.write("items/items.csv", "item_id,title\n" + "".join(titles))
    owner, option = TrainConfig.owners[name]
    source = SOURCES[owner]
    names = [source.hyperparameter(own) for own in source.own_options()]
    defaults = {own: getattr(TrainConfig(), own) for own in names}
    base = {"candidate_sources": ",".join(dict.fromkeys(["popularity", owner]))} | {
        own: as_written(value) for own, value in defaults.items()
    }
    job.write_hyperparameters(**base)
    assert train.main([]) == 0
    before = scores(Recommender.load(job.container.model_dir), owner)
    job.write_hyperparameters(**(base | {name: OPTIONS[option]}))
    assert train.main([]) == 0
    assert scores(Recommender.load(job.container.model_dir), owner) != before


def scores(recommender: Recommender, name: str) -> list[object]:
    """Return a source's candidates and scores for every user, in a new and the last session; [] if it is left out."""
    source, every_item = recommender.model.sources.get(name), np.arange(len(recommender.model.items))
    found: list[object] = []
    if source is None:
        return found
    histories = recommender.model.histories
    queries = [
        Query.of_known(histories, user_num, now=time)
        for user_num in range(len(recommender.model.users))
        for time in (None, int(histories.of(user_num).time[-1]))
    ]
    for query in queries:
        top, score = source.top(query, 5), source.score(query, every_item)
        found += [top and (top.item_num.tolist(), top.score.tolist()), None if score is None else score.tolist()]
    return found


def test_the_log_names_hyper_parameters_without_effect(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    job.write("train/a.csv", RATINGS)
    job.write_hyperparameters(batch_size="64")
    assert train.main([]) == 0
    assert "batch_size has no effect with the other hyper-parameters of this job" in capfd.readouterr().out


def no_train_channel(job: Job) -> None:
    (job.base_dir / "input" / "data" / "train" / "a.csv").unlink()
    (job.base_dir / "input" / "data" / "train").rmdir()


def bad_rating(job: Job) -> None:
    job.write("train/a.csv", RATINGS + "w,a,7\n")


def bad_test_rating(job: Job) -> None:
    job.write("test/t.csv", "user_id,item_id,rating\nu,a,0\n")


def bad_items(job: Job) -> None:
    job.write("items/i.csv", "item_id,name\na,Shirt\n")


def bad_hyperparameter(job: Job) -> None:
    job.write_hyperparameters(embedding_dim="twenty")


def unknown_hyperparameter(job: Job) -> None:
    job.write_hyperparameters(epochs="20")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (no_train_channel, ["data/train", "expected"]),
        (bad_rating, ["train/a.csv", "row 5", "'rating'", "from 1 to 5", "7"]),
        (bad_test_rating, ["test/t.csv", "row 1", "'rating'", "0"]),
        (bad_items, ["items/i.csv", "'title'"]),
        (bad_hyperparameter, ["hyperparameters.json", "'embedding_dim'", "'twenty'"]),
        (unknown_hyperparameter, ["hyperparameters.json", "'epochs'", "unknown name"]),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_failure_is_one_line_and_leaves_the_folder_unchanged(
    job: Job, capfd: pytest.CaptureFixture[str], spoil: object, expected: list[str], is_first: bool
) -> None:
    job.write("train/a.csv", RATINGS)
    if not is_first:
        assert train.main([]) == 0
    before = job.model_bytes
    assert callable(spoil)
    spoil(job)
    capfd.readouterr()
    assert train.main([]) == 1
    failure = job.failure
    assert failure is not None
    assert [words for words in expected if words not in failure] == []
    assert len(failure) <= 1024
    assert "\n" not in failure
    assert f"error: {failure}" in capfd.readouterr().err
    assert job.model_bytes == before
    assert bool(before) != is_first


def test_a_failed_process_has_an_exit_code_and_no_stack_trace(job: Job) -> None:
    result = job.train()
    assert result.returncode == 1
    assert "data/train" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert job.failure == result.stderr.removeprefix("error: ").rstrip("\n")


def test_if_no_file_can_be_written_the_reason_is_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = Job(tmp_path / "file").train_here()
    assert result.returncode == 1
    assert "output/failure: can't be written" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_failure_file_of_an_earlier_run_is_removed(job: Job) -> None:
    assert train.main([]) == 1
    job.write("train/a.csv", RATINGS)
    assert train.main([]) == 0
    assert job.failure is None


def test_other_files_in_the_model_folder_are_kept(job: Job) -> None:
    job.container.model_dir.mkdir(parents=True)
    (job.container.model_dir / "notes.txt").write_text("mine")
    assert train.main([]) == 1
    assert job.model_files == ["notes.txt"]


def test_the_log_has_plain_lines_without_a_progress_bar(trained: Job) -> None:
    """Check the log when it is not a terminal: SageMaker reads metrics from it."""
    assert "\r" not in trained.log
    assert re.search(r"^iteration=1; iteration_validation_rmse=[0-9.]+;$", trained.log, re.MULTILINE)
