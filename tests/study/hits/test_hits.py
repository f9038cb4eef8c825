"""The run: chosen on validation, measured once, kept, gone on with, told in tables and a plot."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.tastes import TASTES

from recommender.data.interactions import Interactions
from study.cache import Cache
from study.hits import report
from study.hits import run as hits
from study.hits.contestants import Contestant, Params
from study.hits.measuring import Row, choose, measured
from study.hits.recommenders import OWN, POPULARITY
from study.hits.run import compared, installed, outcome
from study.hits.scoring import Recommend, by_scores, matrix

EASE = next(contestant for contestant in OWN if contestant.name == "EASE")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the contestants that every installation has."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits, "PEERS", ())
        hits.run([TASTES, replace(TASTES, name="Amazon Fashion")], Cache(folder / "cache"), folder, "make study")
    return folder


@pytest.fixture
def rows(results: Path) -> dict[str, Row]:
    found = json.loads((results / "hits.json").read_text())["rows"]
    return {row["contestant"]: row for row in found if row["data"] == "tastes"}


def test_every_figure_is_between_0_and_1_within_its_interval_and_grows_with_the_depth(
    rows: dict[str, Row],
) -> None:
    for row in rows.values():
        assert 0 <= row["hit_rate@5"] <= row["hit_rate@10"] <= row["hit_rate@100"] == 1
        for name in ("hit_rate@5", "precision@5", "recall@10", "ndcg@10", "map@10", "mrr@10"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row["recall@10"] == row["hit_rate@10"]  # of one relevant item
        assert row["precision@5"] == pytest.approx(row["hit_rate@5"] / 5)


def test_who_learns_tastes_beats_popularity_and_popularity_itself_does_not(rows: dict[str, Row]) -> None:
    assert rows["EASE"]["hit_rate@10"] == 1
    assert rows["EASE"]["hit_rate@10_minus_popularity"] == pytest.approx(1 - rows["popularity"]["hit_rate@10"])
    assert not rows["EASE"]["hit_rate@10_minus_popularity_is_noise"]
    assert rows["popularity"]["hit_rate@10_minus_popularity"] == 0
    assert rows["popularity"]["hit_rate@10_minus_popularity_is_noise"]


def test_the_papers_report_stands_beside_its_own_data_alone(results: Path) -> None:
    found = json.loads((results / "hits.json").read_text())["rows"]
    assert [row["data"] for row in found if row["stage"] == "reported"] == ["Amazon Fashion"]


def test_what_is_chosen_does_not_depend_on_the_test_ratings() -> None:
    shuffled = replace(TASTES.test, item_num=np.random.default_rng(0).permutation(TASTES.test.item_num))
    assert choose(TASTES, EASE) == choose(replace(TASTES, test=shuffled), EASE)


def fits_of(fitted: list[Params], scores: Iterable[float]) -> Contestant:
    """Recommends the items of the user's own taste first where the parameter is the right one."""

    def fit(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
        fitted.append(params)
        return by_scores(matrix(train), lambda users: own_taste(users, params["right"]))

    return Contestant("planted", "peer", fit, [{"right": score} for score in scores])


def own_taste(users: np.ndarray, right: float) -> np.ndarray:
    return float(right) * ((users[:, None] + np.arange(40)) % 2 == 0)


def test_the_best_on_validation_is_chosen_and_fitted_again_on_all_of_train() -> None:
    fitted: list[Params] = []
    row = measured(TASTES, fits_of(fitted, (-1, 1, 0)))
    assert row["chosen"] == {"right": 1}
    assert [params["right"] for params in fitted] == [-1, 1, 0, 1]
    assert [one["right"] for one in row["tried"]] == [-1, 1, 0]
    assert row["hit_rate@10"] > 0.9


def test_a_second_run_computes_nothing_and_other_data_something(tmp_path: Path) -> None:
    fitted: list[Params] = []
    contestant = fits_of(fitted, (1,))
    first = outcome(TASTES, contestant, Cache(tmp_path))
    assert outcome(TASTES, contestant, Cache(tmp_path)) == first
    assert len(fitted) == 1
    outcome(replace(TASTES, titles=[""] * 40), contestant, Cache(tmp_path))
    assert len(fitted) == 2


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(tmp_path: Path) -> None:
    missing = replace(POPULARITY, name="somebody", package="no-such-distribution")
    row = compared(outcome(TASTES, missing, Cache(tmp_path)), [])
    assert row == {"contestant": "somebody", "stage": "baseline", "missing": "no-such-distribution is not installed"}
    assert report.figures(row)[:2] == ["somebody", "no-such-distribution is not installed"]
    assert installed("") == ""


def test_the_tables_have_a_row_for_every_contestant_and_the_plot_its_name(results: Path) -> None:
    found = json.loads((results / "hits.json").read_text())["rows"]
    tables, plot = (results / "hits.md").read_text(), (results / "hits.svg").read_text()
    ElementTree.fromstring(plot)
    for row in found:
        name = row["contestant"]
        assert f"| {name}" in tables
        assert row["stage"] == "reported" or name in plot
    assert "| the paper's pipeline, as reported | 0.0007 |" in tables
