"""The data sets of the study: their events, users and digests, and the sizes of the real ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study import data
from study.data import DATA, SAMPLES, Data, digest, first_purchases, sample


def test_users_with_fewer_than_5_items_are_dropped_and_first_purchases_kept() -> None:
    rows = [("ann", f"item{number}", number) for number in range(5)] + [("ann", "item0", 9), ("ann", "item4", 1)]
    few = [("few", f"item{number}", number) for number in range(4)]
    events = first_purchases(pd.DataFrame(rows + few, columns=["user_id", "item_id", "timestamp"]))
    assert list(events.columns) == ["user_id", "item_id", "timestamp"]  # no invented rating
    assert sorted(events.itertuples(index=False, name=None)) == [
        ("ann", "item0", 0), ("ann", "item1", 1), ("ann", "item2", 2), ("ann", "item3", 3), ("ann", "item4", 1)
    ]  # fmt: skip


def test_all_test_events_of_a_user_are_relevant() -> None:
    made = sample()
    both = made.train.where(np.isin(made.train.user_num, [3, 7]))
    several = replace(made, test=both)
    assert several.users.tolist() == [3, 7]
    for user, items in zip(several.users, several.relevant, strict=True):
        assert sorted(items.tolist()) == sorted(made.train.item_num[made.train.user_num == user].tolist())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_each_time_and_its_test_users_are_known(name: str) -> None:
    made = DATA[name]()
    assert made.digest == DATA[name]().digest
    assert np.isin(made.test.user_num, made.train.user_num).all()
    assert len(made.titles) == len(made.train.items)
    assert len(made.inner.test)
    assert len(made.inner.train) < len(made.train)


def test_a_digest_changes_with_titles_ratings_and_the_order_of_parts() -> None:
    made = sample()
    assert replace(made, titles=made.titles[::-1]).digest != made.digest
    assert replace(made, titles=made.titles[::-1]).ratings_digest == made.ratings_digest
    unrated = replace(made.train, rating=None)
    copy = made.train.where(np.arange(len(made.train)) >= 0)
    assert digest(made.train) == digest(copy) != digest(unrated)
    assert digest(made.train, made.test) != digest(made.test, made.train)


SIZES: list[tuple[Callable[[], Data], int, int]] = [
    (data.paper, 61_803, 1_426),
    (data.paper_in_time, 50_583, 342),
    (data.retail, 261_568, 4_070),
    (data.retail_with_random_ties, 261_565, 4_073),
    (data.retail_basket, 222_986, 42_652),
    (data.retail_in_time, 212_473, 1_529),
    (data.retail_cold, 231_969, 3_646),
    (data.beauty, 176_139, 22_363),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("make", "train", "test"), SIZES)
def test_real_data_has_the_sizes_of_the_published_tables(make: Callable[[], Data], train: int, test: int) -> None:
    made = make()
    assert (len(made.train), len(made.test)) == (train, test)


@pytest.mark.real_data
def test_online_retail_and_beauty_have_a_title_for_every_item_and_no_ratings() -> None:
    for made in (data.retail(), data.beauty_with_titles()):
        assert all(made.titles)
        assert made.train.rating is None


@pytest.mark.real_data
def test_beauty_with_titles_has_the_same_events() -> None:
    assert data.beauty().ratings_digest == data.beauty_with_titles().ratings_digest
