"""Questions for new users, on planted tastes."""

import numpy as np
from support.tastes import TASTES

from study.onboarding import EVERYTHING, NOTHING, QUESTIONS, histories_of, measure, section, top


def test_the_history_of_a_user_has_the_train_items_oldest_first() -> None:
    users = TASTES.users[:5]
    found = histories_of(TASTES, users)
    assert [*found] == users.tolist()
    for user, items in found.items():
        own = TASTES.train.where(TASTES.train.user_num == user)
        assert items == own.item_num[np.argsort(own.time, kind="stable")].tolist()


def test_answers_raise_the_hit_rate_of_hidden_users() -> None:
    hits, answered = measure(TASTES)
    rate = {name: np.concatenate(parts).mean() for name, parts in hits.items()}
    assert answered[NOTHING] == 0
    assert answered[EVERYTHING] == 1
    assert rate[EVERYTHING] > rate[NOTHING]
    assert max(rate[name] for name in rate if name not in (EVERYTHING, NOTHING)) > rate[NOTHING]
    assert f"{sum(len(part) for part in hits[NOTHING])} hidden users" in section("tastes", hits, answered)


def test_the_top_questions_have_the_largest_scores() -> None:
    assert top(np.arange(30.0)) == [*range(29, 29 - QUESTIONS, -1)]
