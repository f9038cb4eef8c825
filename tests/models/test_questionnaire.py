"""Questions for new users: popular items of different users, next to a slow reference."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.models.questionnaire import FACTOR, questionnaire

EVENTS = st.lists(st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh")), min_size=1, max_size=40)


def histories_of(rows: list[tuple[str, str]]) -> tuple[Histories, Interactions]:
    data = Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id"]))
    return Histories.from_interactions(data), data


@given(EVENTS, st.integers(0, 8))
def test_each_question_is_the_item_of_most_users_who_count_less_after_each_item_they_have(
    rows: list[tuple[str, str]], count: int
) -> None:
    histories, data = histories_of(rows)
    has = [set(data.item_num[data.user_num == user].tolist()) for user in range(len(data.users))]
    found = questionnaire(histories, len(data.items), count=count).tolist()
    assert len(found) == len(set(found)) == min(count, len(data.items))
    weight = np.ones(len(has))
    rest = set(range(len(data.items)))
    for item in found:
        gain = {one: sum(weight[user] for user, own in enumerate(has) if one in own) for one in rest}
        assert gain[item] >= max(gain.values()) - 1e-9
        rest.remove(item)
        weight[[user for user, own in enumerate(has) if item in own]] *= FACTOR


@given(EVENTS)
def test_chosen_questions_come_first(rows: list[tuple[str, str]]) -> None:
    histories, data = histories_of(rows)
    first = [len(data.items) - 1, 0][: len(data.items)]
    found = questionnaire(histories, len(data.items), list(dict.fromkeys(first)))
    assert found.tolist()[:2] == list(dict.fromkeys(first))[:2]
    assert sorted(found.tolist()) == list(range(len(data.items)))


def test_after_an_item_of_one_group_an_item_of_another_group_is_asked_about() -> None:
    rows = [(f"u{user}", item) for user in range(6) for item in ("a", "b")]
    rows += [(f"v{user}", item) for user in range(5) for item in ("c", "d")]
    histories, data = histories_of(rows)
    names = [data.items.id(number) for number in questionnaire(histories, len(data.items)).tolist()]
    assert names == ["a", "c", "b", "d"]
