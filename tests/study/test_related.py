"""Related items, and the peers' ways to find them, on planted tastes."""

import numpy as np
from support.tastes import TASTES

from study.related import K, newest_items, ours, popular, without_given


def test_the_given_item_is_the_newest_train_event_of_a_user() -> None:
    given = newest_items(TASTES)
    for user, item in zip(TASTES.users.tolist(), given.tolist(), strict=True):
        own = TASTES.train.where(TASTES.train.user_num == user)
        assert item == own.item_num[np.flatnonzero(own.time == own.time.max())[-1]]


def test_all_of_ours_find_items_of_the_same_taste_without_the_given_one() -> None:
    found = ours(TASTES)
    assert [*found] == ["ours: `item_id`", "ours: neighbours, then titles"]
    given = np.arange(8)
    for related in found.values():
        items = related(given)
        assert items.shape == (len(given), K)
        assert ((items + given[:, None]) % 2 == 0).all()
        assert (items != given[:, None]).all()


def test_popular_items_leave_the_given_one_out() -> None:
    count = np.bincount(TASTES.train.item_num)
    given = np.argsort(-count, kind="stable")[:2]
    items = popular(TASTES)(given)
    assert (items != given[:, None]).all()
    assert (np.diff(count[items], axis=1) <= 0).all()


def test_the_given_item_is_left_out_wherever_it_is() -> None:
    given, found = np.array([4, 9]), np.array([[*range(K + 1)], [*range(20, 20 + K + 1)]])
    assert without_given(given, found).tolist() == [[0, 1, 2, 3, 5, 6, 7, 8, 9, 10], [*range(20, 20 + K)]]
