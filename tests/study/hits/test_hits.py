"""A run of the hit rates: choose on validation, measure once, cache, resume, write tables and a plot."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.shared import Shared
from support.tastes import TASTES

from recommender.data.interactions import Interactions
from study.cache import Cache
from study.data import Data
from study.hits import report
from study.hits import run as hits
from study.hits.baselines import BASELINES, POPULARITY
from study.hits.contestants import Contestant, Params
from study.hits.environments import Environment
from study.hits.measuring import Row, choose
from study.hits.outcomes import outcome
from study.hits.run import compared
from study.hits.scoring import Recommend, by_scores, matrix

EASE = next(contestant for contestant in BASELINES if contestant.name == "EASE")
TWO_ITEMS = replace(TASTES, name="two items", test=TASTES.train.where(np.arange(len(TASTES.train)) % 5 == 0))


@pytest.fixture(scope="module")
def results(shared: Shared) -> Path:
    """Run the contestants that every installation has; tests must not change the results."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hits, "PEERS", ())
            datasets = [TASTES, replace(TASTES, name="Amazon Fashion"), replace(TASTES, name="Amazon Beauty 2014")]
            hits.run(datasets, Cache(folder / "cache"), folder, "make study")

    return shared.folder("hits", make)


@pytest.fixture
def rows(results: Path) -> dict[str, Row]:
    found = json.loads((results / "hits.json").read_text())["rows"]
    return {row["contestant"]: row for row in found if row["data"] == "tastes"}


def test_metrics_are_from_0_to_1_inside_their_intervals_and_grow_with_k(rows: dict[str, Row]) -> None:
    for row in (row for row in rows.values() if "missing" not in row):
        assert 0 <= row["hit_rate@5"] <= row["hit_rate@10"] <= row["hit_rate@100"] <= 1
        for name in ("hit_rate@5", "recall@100", "ndcg@10", "mrr@10"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row["recall@10"] == row["hit_rate@10"]  # with one relevant item
        assert not any(name.startswith("users_") for name in row)


def test_learned_tastes_beat_popularity(rows: dict[str, Row]) -> None:
    assert rows["EASE"]["hit_rate@10"] == 1
    assert rows["EASE"]["hit_rate@10_minus_popularity"] == pytest.approx(1 - rows["popularity"]["hit_rate@10"])
    assert not rows["EASE"]["hit_rate@10_minus_popularity_is_noise"]
    assert "hit_rate@10_minus_popularity" not in rows["popularity"]
    assert rows["popularity"]["hit_rate@10_minus_ours"] == pytest.approx(-rows["ours"]["hit_rate@10_minus_popularity"])


def test_published_metrics_are_rows_of_their_own_data_set_only(results: Path) -> None:
    found = json.loads((results / "hits.json").read_text())["rows"]
    published = {row["contestant"]: row["data"] for row in found if row["stage"] == "published"}
    assert published["the paper's pipeline"] == "Amazon Fashion"
    assert published["eSASRec"] == published["SASRec"] == "Amazon Beauty 2014"
    assert "tastes" not in published.values()


def test_several_relevant_items_of_a_user_are_measured_together(tmp_path: Path) -> None:
    data = replace(TWO_ITEMS, train=TASTES.train.where(np.arange(len(TASTES.train)) % 5 > 0))
    row = outcome(data, EASE, Cache(tmp_path))
    assert row["users"] == len(data.users) < len(data.test)
    assert row["relevant"] == pytest.approx(len(data.test) / len(data.users))
    assert row["hit_rate@5"] > row["recall@5"]
    rows = [{"data": "two items", "how": "", **row}]
    assert "recall@10" in report.markdown(rows)


def test_the_choice_of_parameters_does_not_depend_on_the_test_events() -> None:
    shuffled = replace(TASTES.test, item_num=np.random.default_rng(0).permutation(TASTES.test.item_num))
    first, second = choose(TASTES, EASE), choose(replace(TASTES, test=shuffled), EASE)
    assert first["tried"] == second["tried"]
    assert first["chosen"] == second["chosen"]


def fits_of(fitted: list[tuple[Params, int]], scores: Iterable[float], seeds: int = 1) -> Contestant:
    """Return a contestant that recommends the user's own taste first if the parameter minus the seed is positive."""

    def fit(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
        fitted.append((params, seed))
        return by_scores(matrix(train), lambda users: own_taste(users, float(params["right"]) - seed))

    return Contestant("planted", "peer", fit, [{"right": score} for score in scores], seeds=seeds)


def own_taste(users: np.ndarray, right: float) -> np.ndarray:
    return float(right) * ((users[:, None] + np.arange(40)) % 2 == 0)


def test_the_best_parameters_on_validation_are_fitted_again_on_all_of_train(tmp_path: Path) -> None:
    fitted: list[tuple[Params, int]] = []
    row = outcome(TASTES, fits_of(fitted, (-1, 1, 0)), Cache(tmp_path))
    assert row["chosen"] == {"right": 1}
    assert [params["right"] for params, _ in fitted] == [-1, 1, 0, 1]
    assert [one["right"] for one in row["tried"]] == [-1, 1, 0]
    assert row["hit_rate@10"] > 0.9


def test_metrics_are_means_over_the_seeds(tmp_path: Path) -> None:
    fitted: list[tuple[Params, int]] = []
    contestant = fits_of(fitted, (1,), seeds=3)  # seed 0 prefers the own taste, 1 none, 2 the other
    row = outcome(TASTES, contestant, Cache(tmp_path))
    alone = [outcome(TASTES, seeded(contestant, seed), Cache(tmp_path / str(seed))) for seed in range(3)]
    assert [seed for _, seed in fitted[:3]] == [0, 1, 2]
    assert row["hit_rate@10"] == pytest.approx(np.mean([one["hit_rate@10"] for one in alone]))
    assert row["gini@10"] == pytest.approx(np.mean([one["gini@10"] for one in alone]))
    assert row["seeds"] == 3


def seeded(contestant: Contestant, seed: int) -> Contestant:
    """Return the contestant with this as its only seed."""

    def fit(train: Interactions, titles: Sequence[str], params: Params, _seed: int) -> Recommend:
        return contestant.fit(train, titles, params, seed)

    return replace(contestant, fit=fit, seeds=1)


def test_a_second_run_computes_nothing_and_changed_events_are_fitted_again(tmp_path: Path) -> None:
    fitted: list[tuple[Params, int]] = []
    contestant = fits_of(fitted, (1,))
    first = outcome(TASTES, contestant, Cache(tmp_path))
    assert outcome(TASTES, contestant, Cache(tmp_path)) == first
    assert len(fitted) == 1
    outcome(replace(TASTES, titles=[""] * 40), contestant, Cache(tmp_path))  # it does not use titles
    assert len(fitted) == 1
    outcome(replace(TASTES, titles=[""] * 40), replace(contestant, uses_titles=True), Cache(tmp_path))
    outcome(replace(TASTES, train=TASTES.train.where(TASTES.train.item_num != 3)), contestant, Cache(tmp_path))
    assert len(fitted) == 3


@pytest.mark.parametrize("environment", [Environment(), Environment(Path("/nowhere/bin/python"))])
def test_a_peer_that_is_not_installed_has_a_row_with_the_reason(tmp_path: Path, environment: Environment) -> None:
    missing = replace(POPULARITY, name="other", package="no-such-distribution", environment=environment)
    row = compared(outcome(TASTES, missing, Cache(tmp_path)), {})
    assert row == {"contestant": "other", "stage": "baseline", "missing": "no-such-distribution is not installed"}
    assert report.metric_cells(row, report.METRICS, {})[:2] == ["other", "no-such-distribution is not installed"]


def test_a_contestant_that_needs_ratings_does_not_run_without_them() -> None:
    unrated: Data = replace(TASTES, train=replace(TASTES.train, rating=None))
    needs = replace(POPULARITY, needs_ratings=True)
    assert needs.missing(unrated) == "it needs ratings; this data has none"
    assert needs.missing(TASTES) is POPULARITY.missing(unrated) is None


def test_a_left_out_contestant_gives_the_reason() -> None:
    assert POPULARITY.missing(replace(TASTES, left_out={"popularity": "too slow"})) == "too slow"


def test_peers_are_fitted_without_the_projects_own_contestants(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits, "PEERS", ())
        tables = hits.peers_of(TASTES, Cache(tmp_path))
    assert "| EASE |" in tables
    assert "| ours" not in tables


def test_tables_and_plot_name_every_contestant(results: Path) -> None:
    found = json.loads((results / "hits.json").read_text())["rows"]
    tables, plot = (results / "hits.md").read_text(), (results / "hits.svg").read_text()
    ElementTree.fromstring(plot)
    for row in found:
        name = row["contestant"]
        assert f"| {name}" in tables
        assert row["stage"] == "published" or "missing" in row or name in plot
    assert "| the paper's pipeline, as published: the paper's text | 0.0007 |" in tables
    assert "| eSASRec, as published: eSASRec (RecSys 2025) |  | 0.0928 |" in tables
