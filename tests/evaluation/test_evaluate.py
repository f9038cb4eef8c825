"""The evaluation on a test channel: metrics, left-out sources, comparisons and the warning."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.job import Job

from recommender.evaluation.evaluate import Order, Rows, evaluate
from recommender.evaluation.ranking import NOT_RANKED, ranks_in
from recommender.pipeline.recommender import Recommender

KS = (5, 10, 100)


@pytest.fixture(scope="module")
def test_rows(trained: Job) -> pd.DataFrame:
    """Return rows of known users, one of them with an unknown item, and one row of an unknown user."""
    known = trained.ratings("test").head(60)
    user, item = known["user_id"].iloc[0], known["item_id"].iloc[0]
    strange = pd.DataFrame([(user, "thing", 3.0, 1), ("stranger", item, 4.0, 1)], columns=known.columns)
    return pd.concat([known, strange], ignore_index=True)


@pytest.fixture(scope="module")
def rows(recommender: Recommender, test_rows: pd.DataFrame) -> Rows:
    """Return the measured rows."""
    return evaluate(recommender, test_rows)


def test_every_metric_equals_a_plain_count_over_the_orders(
    recommender: Recommender, test_rows: pd.DataFrame, rows: Rows
) -> None:
    metrics: dict[str, Any] = dict(rows.metrics())
    model = recommender.model
    newest = model.histories.newest or 0
    times = test_rows.groupby("user_id")["timestamp"].min() // 1_000 - newest
    orders = {str(user): recommender.orders_by_name(str(user), 100, now=int(now)) for user, now in times.items()}
    raters = [0] * len(model.items)
    for user_num in range(len(model.users)):
        for item in set(model.histories.of(user_num).item_num.tolist()):
            raters[item] += 1
    assert rows.sources.keys() == model.sources.keys()
    for name, prefix in {"final": "test", **{name: name for name in model.sources}}.items():
        places = []
        for user, item in zip(test_rows["user_id"], test_rows["item_id"], strict=True):
            order = [model.items.id(number) for number in orders[user][name].tolist()]
            places.append(order.index(item) + 1 if item in order else None)
        for k in KS:
            found = [place for place in places if place is not None and place <= k]
            assert metrics[f"{prefix}_hit_rate_at_{k}"] == pytest.approx(len(found) / len(places))
            assert metrics[f"{prefix}_mrr_at_{k}"] == pytest.approx(sum(1 / place for place in found) / len(places))
            gain = sum(1 / np.log2(place + 1) for place in found)
            assert metrics[f"{prefix}_ndcg_at_{k}"] == pytest.approx(gain / len(places))
        first = [item for of_user in orders.values() for item in of_user[name][:10].tolist()]
        assert metrics[f"{prefix}_coverage_at_10"] == pytest.approx(len(set(first)) / len(model.items))
        novelty = np.mean([-np.log2(max(raters[item], 1) / len(model.users)) for item in first])
        assert metrics[f"{prefix}_novelty_at_10"] == pytest.approx(novelty)
        assert 0 <= metrics[f"{prefix}_gini_at_10"] <= 1
    for name in ("hit_rate", "ndcg"):
        low, high = metrics[f"test_{name}_at_10_interval"]
        assert low <= metrics[f"test_{name}_at_10"] <= high
    assert metrics["num_test_unknown_users"] == metrics["num_test_unknown_items"] == 1


def test_a_source_that_only_scores_has_no_metrics(recommender: Recommender, test_rows: pd.DataFrame) -> None:
    config = recommender.model.config.model_copy(update={"implicit_mf_max_items": 0})
    source = recommender.model.sources["implicit_mf"]
    arrays, values = source.save()
    silent = type(source).load(arrays, values, config.of(type(source).Options))
    model = replace(recommender.model, config=config, sources={**recommender.model.sources, "implicit_mf": silent})
    found = evaluate(Recommender(model), test_rows)
    assert recommender.model.sources.keys() - found.sources.keys() == {"implicit_mf"}
    assert not any(name.startswith("implicit_mf") for name in found.metrics())


def test_a_compared_recommender_gets_the_same_metrics_as_in_its_own_evaluation(
    recommender: Recommender, test_rows: pd.DataFrame
) -> None:
    weights = {"popularity": 1.0}
    assert recommender.model.ranking is not None
    other = Recommender(replace(recommender.model, ranking=replace(recommender.model.ranking, weights=weights)))
    compared = evaluate(recommender, test_rows, others={"other": other})
    assert compared.others["other"].rank.tolist() == evaluate(other, test_rows).final.rank.tolist()
    assert compared.metrics()["other_mrr_at_10"] != compared.metrics()["test_mrr_at_10"]


def order(ranks: list[int]) -> Order:
    """Return an order with these positions; a negative one is a miss."""
    return Order(np.array([NOT_RANKED if rank < 0 else rank for rank in ranks]), 0.5, 0.5, 1.0)


@pytest.mark.parametrize(
    ("final", "popular", "warns"),
    [
        ([-1] * 90 + [0] * 10, [0] * 30 + [-1] * 70, True),
        ([10] * 100, [9] * 100, True),
        ([-1] * 98 + [0] * 2, [-1] * 97 + [0] * 3, False),
        ([0] * 30 + [-1] * 70, [-1] * 90 + [0] * 10, False),
        ([0] * 100, [9] * 100, False),
    ],
)
def test_a_final_order_that_is_worse_than_popularity_beyond_noise_gives_a_warning(
    rows: Rows, final: list[int], popular: list[int], warns: bool
) -> None:
    made = replace(rows, final=order(final), sources={"popularity": order(popular)})
    assert (made.warning is not None) == warns
    if made.warning is not None:
        assert "final order is worse than popularity alone" in made.warning
    assert replace(made, sources={}).warning is None


def test_without_test_times_each_request_begins_a_session_at_the_users_newest_event(
    recommender: Recommender, test_rows: pd.DataFrame
) -> None:
    found = evaluate(recommender, test_rows.drop(columns="timestamp"))
    for user in test_rows["user_id"].unique()[:20]:
        order, own = recommender.orders_by_name(user, 100)["final"], (test_rows["user_id"] == user).to_numpy()
        assert found.final.rank[own].tolist() == ranks_in(order, found.item_num[own]).tolist()
