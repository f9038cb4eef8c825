"""UCI Online Retail's purchases -> ratings: by how often, of nothing that comes later."""

import numpy as np
import pandas as pd
import pytest

from study.data import Data, bought, online_retail, sample


def purchases(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def everything_bought_by(user: str, times: range) -> list[tuple[str, str, int]]:
    return [(user, f"item{number}", time) for number, time in enumerate(times)]


OTHER = everything_bought_by("other", range(5, -1, -1))  # whose last item is nobody else's last one


def ratings_of(user: str, events: pd.DataFrame) -> dict[str, float]:
    train = bought(events).train
    chosen = train.where(train.user_num == train.users.number(user))
    return {train.items.id(item): float(rating) for item, rating in zip(chosen.item_num, chosen.ratings, strict=True)}


def test_a_rating_is_how_often_it_was_bought_at_distinct_times_at_most_5() -> None:
    again = [("ann", "item0", 0), ("ann", "item0", 1), *[("ann", "item1", time) for time in range(2, 12)]]
    ratings = ratings_of("ann", purchases(*OTHER, *everything_bought_by("ann", range(0, 60, 10)), *again))
    assert ratings == {"item0": 2, "item1": 5, "item2": 1, "item3": 1, "item4": 1}


def test_no_purchase_at_or_after_the_held_out_event_is_in_a_rating() -> None:
    later = [("ann", "item0", 50), ("ann", "item0", 51), ("ann", "item1", 49)]
    events = purchases(*OTHER, *everything_bought_by("ann", range(0, 60, 10)), *later)
    assert ratings_of("ann", events) == {"item0": 1, "item1": 2, "item2": 1, "item3": 1, "item4": 1}


def test_what_was_bought_at_the_time_of_the_held_out_event_counts_1() -> None:
    basket = purchases(*OTHER, *[("ann", f"item{number}", 7) for number in range(6)])
    assert set(ratings_of("ann", basket).values()) == {1}


def test_a_user_of_fewer_than_5_items_is_left_out_and_an_item_of_nobody_else_is_not_held_out() -> None:
    split = bought(purchases(*OTHER, *OTHER, *everything_bought_by("few", range(4)), ("other", "item0", 9)))
    assert list(split.train.users) == ["other"]
    assert len(split.test) == 0


def test_the_pair_that_was_first_bought_last_is_held_out() -> None:
    ann = [*everything_bought_by("ann", range(5)), ("ann", "item0", 9)]
    test = bought(purchases(*OTHER, *ann)).test
    held_out = {
        test.users.id(user): test.items.id(item) for user, item in zip(test.user_num, test.item_num, strict=True)
    }
    assert held_out == {"ann": "item4", "other": "item0"}


def test_the_sample_is_the_same_each_time_and_its_test_users_and_items_are_known() -> None:
    data = sample()
    assert data.digest == sample().digest
    assert np.isin(data.test.item_num, data.train.item_num).all()
    assert len(data.titles) == len(data.train.items)


def test_other_titles_are_other_data() -> None:
    data = sample()
    assert Data(data.name, data.train, data.test, data.titles[::-1]).digest != data.digest


@pytest.mark.real_data
def test_online_retail_has_a_title_for_every_item_and_ratings_from_1_to_5() -> None:
    data = online_retail()
    assert all(data.titles)
    assert set(np.unique(data.train.ratings)) == {1, 2, 3, 4, 5}
    assert (len(data.train), len(data.test), len(data.train.items)) == (261_565, 4_073, 3_655)
