"""Choices on targets inside the training data: planted options and rankings are found; set options stay."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from support.worlds import NUM_ITEMS, WORLDS, World, named

from recommender.candidates import SOURCES
from recommender.candidates.base import Candidates, Source
from recommender.candidates.popularity import Popularity
from recommender.components.base import Arrays, Values
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.options import SharedOptions
from recommender.hyperparameters import TrainConfig
from recommender.ranking.learned import Pool, shares
from recommender.training import choose as module
from recommender.training.choose import choose_options, choose_ranking, suitable_sources
from recommender.training.judge import Judge

NOON = 1_600_000_000
DAY = 86_400


def fads(num_days: int = 42) -> World:
    """Return a shop with a new item each week. All users of the week buy it, every second user after four old items."""
    rows = []
    for day in range(num_days):
        for user in range(20 * day, 20 * day + 20):
            old = [(user + place) % 12 for place in range(4)] if user % 2 else []
            times = range(NOON + day * DAY + user, NOON + (day + 1) * DAY, 60)
            rows += [(user, item, time) for item, time in zip([*old, 12 + day // 7], times, strict=False)]
    return World.of(named(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])))


@cache
def judge_of_fads() -> Judge:
    """Return the judge of `fads`."""
    return Judge.of(fads().context, 0)


# --- options ---


def test_a_planted_option_is_chosen_and_the_source_is_fitted_with_it() -> None:
    """Choose a half-life. The old items are the most popular overall, but the next user buys this week's item."""
    config, source = choose_options("popularity", Popularity, TrainConfig(), judge_of_fads())
    half_life = config.of(Popularity.Options).half_life
    assert half_life == 7.0
    plain = Popularity.fit(judge_of_fads().context, Popularity.Options())
    assert judge_of_fads().ndcg(source) > judge_of_fads().ndcg(plain)
    assert "popularity_half_life" in config.model_fields_set


@pytest.mark.parametrize("half_life", [0.0, 365.0])
def test_an_option_that_the_user_set_does_not_change(half_life: float) -> None:
    given = TrainConfig.from_hyperparameters({"popularity_half_life": half_life}, "hp")
    config, source = choose_options("popularity", Popularity, given, judge_of_fads())
    assert config == given
    assert judge_of_fads().ndcg(source) < 0.5


@pytest.mark.parametrize("name", ["neighbours", "ease", "titles", "implicit_mf"])
def test_if_the_user_set_one_option_of_an_axis_the_others_do_not_change(name: str) -> None:
    """Set the decay per step. Days and steps are one axis, because both weight the same history."""
    judge = Judge.of(WORLDS["ratings"].context, 0)
    source = SOURCES[name]
    given = TrainConfig.from_hyperparameters({f"{name}_step_decay": 0.33}, "hp")
    config, fitted = choose_options(name, source, given, judge)
    options: Any = config.of(source.Options)
    assert (options.step_decay, options.day_scale) == (0.33, 0.0)
    others = {option for axis in source.choices(judge.context, options) for values in axis for option in values}
    chosen = {source.hyperparameter(option) for option in others - {"step_decay", "day_scale"}}
    assert config.model_fields_set - given.model_fields_set == chosen
    assert fitted.save()[0].keys() == source.arrays.keys()


def test_the_source_is_fitted_with_the_chosen_options() -> None:
    judge = Judge.of(WORLDS["weights"].context, 0)
    for name in ("neighbours", "ease"):
        config, fitted = choose_options(name, SOURCES[name], TrainConfig(), judge)
        alone = SOURCES[name].fit(replace(judge.context, memo={}), config.of(SOURCES[name].Options))
        for array, values in fitted.save()[0].items():
            assert np.array_equal(values, alone.save()[0][array]), (name, array)


def test_choices_are_the_same_each_time() -> None:
    for name in ("neighbours", "titles"):
        configs = [
            choose_options(name, SOURCES[name], TrainConfig(), Judge.of(WORLDS["ratings"].context, 0))[0]
            for _ in range(2)
        ]
        assert configs[0] == configs[1]


def test_without_targets_the_options_do_not_change() -> None:
    judge = Judge.of(fads().context, 0)
    nothing = replace(judge, queries=[], targets=judge.targets[:0])
    for name in ("popularity", "neighbours"):
        config, source = choose_options(name, SOURCES[name], TrainConfig(), nothing)
        assert config == TrainConfig()
        assert source.top(Query.of_known(judge.context.histories, 0), 3) is not None


def test_values_without_an_effect_leave_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Choose for histories with a single time, so recency has no effect."""
    rows = [(user, (user % 7 + item) % 10, NOON) for user in range(40) for item in range(6)]
    world = World.of(named(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])))
    source = SOURCES["ease"]
    config, _ = choose_options("ease", source, TrainConfig(), Judge.of(world.context, 0))
    options: Any = config.of(source.Options)
    assert (options.step_decay, options.day_scale, options.groups) == (0.9, 0.0, "users")
    assert "ease: best of " in capsys.readouterr().out


# --- the ranking ---


class Planted(Source):
    """A source with given items and scores for each user, instead of fitted ones."""

    name = "planted"

    def __init__(self, items: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        self.items, self.scores = items, scores

    @classmethod
    def fit(cls, context: FitContext, options: SharedOptions) -> "Planted":
        raise NotImplementedError

    def save(self) -> tuple[Arrays, Values]:
        raise NotImplementedError

    @classmethod
    def load(cls, arrays: Arrays, values: Values, options: SharedOptions) -> "Planted":
        raise NotImplementedError

    def top(self, query: Query, count: int) -> Candidates:
        assert query.user_num is not None
        return Candidates(self.items[query.user_num], self.scores[query.user_num], self.name).first(count)


def planted(judge: Judge, position: int, scores: Sequence[float], seed: int = 0) -> Planted:
    """Return a source with the target of each request at this position, among random items."""
    random = np.random.default_rng(seed)
    num_users = len(judge.context.data.users)
    items = np.tile(np.arange(len(scores)), (num_users, 1))
    for query, target in zip(judge.queries, judge.targets.tolist(), strict=True):
        others = random.permutation(np.setdiff1d(np.arange(NUM_ITEMS), [target]))[: len(scores) - 1]
        items[query.user_num] = np.insert(others, position, target)
    return Planted(items.astype(np.int64), np.tile(np.array(scores, float), (num_users, 1)))


def noise(judge: Judge, count: int, seed: int) -> Planted:
    """Return a source with random items in random order."""
    random = np.random.default_rng(seed)
    num_users = len(judge.context.data.users)
    items = np.array([random.permutation(NUM_ITEMS)[:count] for _ in range(num_users)])
    return Planted(items, np.sort(random.random((num_users, count)), axis=1)[:, ::-1])


def judge_of_ratings() -> Judge:
    """Return the judge of the world with ratings."""
    return Judge.of(WORLDS["ratings"].context, 0)


def test_the_source_that_finds_the_targets_gets_the_weight() -> None:
    judge = judge_of_ratings()
    sources = {"good": planted(judge, 0, (1 / np.arange(1, 31)).tolist()), "noise": noise(judge, 30, 1)}
    choice = choose_ranking(sources, {}, list(sources), judge)
    weights = choice.ranking.weights
    assert choice.ndcg.keys() == {"final", "good", "noise"}
    assert choice.ndcg["good"] == 1.0
    assert choice.ndcg["final"] > 0.9
    assert weights.get("good", 0) + weights.get("log good", 0) > 3
    assert weights.get("noise", 0) + weights.get("log noise", 0) < 1
    assert min(weights.values()) > 0


def test_a_perfect_source_with_nearly_equal_scores_decides_the_order_alone() -> None:
    """Plant a source with the target first by a millionth. No weight of its score can use its perfect order."""
    judge = judge_of_ratings()
    scores = [1.0, *(1.0 - 1e-6 * np.arange(1, 40))]
    sources = {"noise": noise(judge, 40, 1), "perfect": planted(judge, 0, scores), "more noise": noise(judge, 40, 2)}
    choice = choose_ranking(sources, {}, list(sources), judge)
    assert choice.used == "perfect"
    assert choice.ranking.weights == {"perfect": 1.0}
    assert choice.ndcg["perfect"] == 1.0
    assert choice.ndcg["final"] < 0.9
    query = judge.queries[0]
    proposed = {name: source.top(query, 40) for name, source in sources.items()}
    pool = Pool.of(proposed)
    position, _, _ = choice.ranking.order(query, shares(query, pool, sources, {}), [])
    assert pool.item_num[position][:40].tolist() == proposed["perfect"].item_num.tolist()


@pytest.mark.parametrize("num_targets", [6, 40])
def test_a_source_that_is_better_by_chance_does_not_decide(num_targets: int) -> None:
    judge = judge_of_ratings()
    some = replace(judge, queries=judge.queries[:num_targets], targets=judge.targets[:num_targets])
    assert len(some.targets) == num_targets
    sources = {f"noise {seed}": noise(judge, NUM_ITEMS, seed) for seed in range(20, 32)}
    choice = choose_ranking(sources, {}, list(sources), some)
    assert max(choice.ndcg[name] for name in sources) > choice.ndcg["final"]
    assert choice.used == "final"


def test_the_ranking_is_measured_with_weights_from_other_targets() -> None:
    """Plant two sources. Each finds every second target first, and ranks the other targets last, after noise."""
    judge = judge_of_ratings()
    scores = (1 / np.arange(1, 31)).tolist()
    first, last = planted(judge, 0, scores), planted(judge, 29, scores)
    even = [query.user_num for query in judge.queries[::2] if query.user_num is not None]
    sources = {}
    for name, best, worst in (("even", first, last), ("odd", last, first)):
        items = worst.items.copy()
        items[even] = best.items[even]
        sources[name] = Planted(items, best.scores)
    choice = choose_ranking(sources, {}, list(sources), judge)
    assert choice.ndcg["even"] == pytest.approx(choice.ndcg["odd"])
    assert choice.ndcg["final"] < choice.ndcg["even"]  # the weights of one half are the worst for the other half


@pytest.mark.parametrize("least", [5, 1_000])
def test_many_requests_in_sessions_get_separate_weights(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    """Plant one source for the targets of requests in a session, and one for requests that begin a session."""
    monkeypatch.setattr(module, "MIN_OF_SESSIONS", least)
    judge = judge_of_ratings()
    queries = [replace(query, in_session=place % 4 < 2) for place, query in enumerate(judge.queries)]
    judge = replace(judge, queries=queries)
    scores = (1 / np.arange(1, 31)).tolist()
    first, last = planted(judge, 0, scores), planted(judge, 29, scores)
    users = [query.user_num for query in queries if query.in_session and query.user_num is not None]
    sources = {}
    for name, best, worst in (("inside", first, last), ("outside", last, first)):
        items = worst.items.copy()
        items[users] = best.items[users]
        sources[name] = Planted(items, best.scores)
    choice = choose_ranking(sources, {}, list(sources), judge)
    others, of_session = choice.ranking.weights, choice.ranking.session_weights
    if least > len(queries):
        assert of_session is None
        assert choice.ndcg["final"] < 0.8
    else:
        assert of_session is not None
        assert of_session.get("inside", 0) > 1 > of_session.get("outside", 0)
        assert others.get("outside", 0) > 1 > others.get("inside", 0)
        assert choice.ndcg["final"] > 0.9
        assert choice.used == "final"


def test_a_source_that_only_scores_gets_weights_but_no_metric() -> None:
    """Plant a source with scores that identify the target among the candidates of the other."""
    judge = judge_of_ratings()
    scorer = planted(judge, 0, [1.0])
    sources: dict[str, Source] = {"noise": noise(judge, NUM_ITEMS, 1), "scorer": scorer}
    choice = choose_ranking(sources, {}, ["noise"], judge)
    assert choice.ndcg.keys() == {"final", "noise"}
    assert choice.ranking.weights.keys() <= {"noise", "log noise", "scorer", "log scorer"}


def test_without_targets_the_weights_are_the_prior_weights_of_the_sources() -> None:
    judge = judge_of_ratings()
    nothing = replace(judge, queries=[], targets=judge.targets[:0])
    sources: dict[str, Source] = {name: WORLDS["ratings"].fitted(name) for name in ("ease", "popularity", "titles")}
    choice = choose_ranking(sources, {}, list(sources), nothing)
    expected = {name: source.prior_weight for name, source in sources.items()}
    expected |= {f"log {name}": weight for name, weight in expected.items()}
    assert dict(choice.ranking.weights) == expected
    assert choice.used == "final"


def test_the_ranking_is_the_same_each_time() -> None:
    sources: dict[str, Source] = {name: WORLDS["ratings"].fitted(name) for name in ("ease", "popularity", "titles")}
    one, other = (choose_ranking(sources, {}, list(sources), judge_of_ratings()) for _ in range(2))
    assert one == other


# --- sources that suit the data ---


def test_sources_that_do_not_suit_the_data_are_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig.from_hyperparameters({"ease_max_size": 10}, "hp")
    found = suitable_sources(config, replace(WORLDS["events"].context, titles=[""] * NUM_ITEMS))
    assert list(found) == ["implicit_mf", "neighbours", "popularity", "session_neighbours"]
    assert capsys.readouterr().out.splitlines() == [
        "ease is left out: 40 are more than max_size, 10; set for this source only: ease_max_size",
        "factorization is left out: the events have no ratings",
        "titles is left out: no item has a title",
    ]
    assert list(suitable_sources(TrainConfig(), WORLDS["ratings"].context)) == TrainConfig().source_names
