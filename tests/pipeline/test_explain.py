"""The reasons of a ranked item, by the parts of its score, written out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.components.base import Reason
from recommender.components.query import Query
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.pipeline.explain import MAX_PARTS, MIN_SHARE, explain
from recommender.pipeline.rankers import Ranked
from recommender.pipeline.recommendations import Because

ITEMS = Vocabulary.from_sorted("abc")
TITLES = StringTable.from_strings(["Red wool coat, a", "red WOOL hat", "one two three four five six seven"])
NAMES = ("ease", "popularity", "titles", "unknown")


class Says:
    """A source that gives this reason for every item."""

    def __init__(self, reason: Reason | None, is_content: bool = False, is_telling: bool = False) -> None:
        self._reason, self.is_content, self.is_telling = reason, is_content, is_telling

    def reasons(self, query: Query, item_num: Sequence[int]) -> list[Reason | None]:
        return [self._reason] * len(item_num)

    def word_weights(self, item_num: int, title: str) -> dict[str, float]:
        return {"red": 0.5, "wool": 1.0, "four": 3.0, "two": 2.0, "five": 1.5} if self.is_telling else {}


PARTS: Any = {
    "ease": Says(Reason((1,))),
    "popularity": Says(Reason(text="popular")),
    "titles": Says(Reason((1, 2)), is_content=True),
    "telling": Says(Reason((1, 2)), is_content=True, is_telling=True),
    "unknown": Says(None),
}


def reasons_of(parts: Mapping[str, Sequence[float]], items: Sequence[int] = (0,)) -> list[list[Because]]:
    arrays = {name: np.array(values, float) for name, values in parts.items()}
    score = np.zeros(len(items))
    ranked = Ranked(np.array(items, np.int64), score, "model", arrays, lambda _: {}, {})
    return explain(Query(), ranked, slice(len(items)), PARTS, ITEMS, TITLES)


def test_the_largest_parts_come_first_with_their_share_and_smaller_ones_are_left_out() -> None:
    (found,) = reasons_of({"ease": [3.0], "popularity": [6.0], "titles": [0.95], "unknown": [0.05]})
    assert found == [Because("popularity", 0.6, [], [], "popular"), Because("ease", 0.3, ["b"], [], None)]


def test_a_part_without_a_reason_still_has_its_share() -> None:
    (found,) = reasons_of({"ease": [1.0], "unknown": [3.0]})
    assert found == [Because("ease", 0.25, ["b"], [], None)]


def test_parts_below_0_count_as_0() -> None:
    (found,) = reasons_of({"ease": [1.0], "popularity": [-5.0]})
    assert found == [Because("ease", 1.0, ["b"], [], None)]


@pytest.mark.parametrize("values", [0.0, -1.0])
def test_an_item_without_a_score_has_no_reasons(values: float) -> None:
    assert reasons_of({"ease": [values], "titles": [0.0]}) == [[]]
    assert reasons_of({}) == [[]]
    assert reasons_of({"ease": []}, []) == []


def test_the_words_are_those_of_the_items_title_that_the_others_have_too() -> None:
    """Words of two letters, in lower case, in the order of the item's title."""
    for item, words in ((0, ["red", "wool"]), (2, ["one", "two", "three", "four", "five"])):
        ((because,),) = reasons_of({"titles": [1.0]}, [item])
        assert because == Because("titles", 1.0, ["b", "c"], words, None)


def test_more_telling_words_come_first_and_words_that_tell_less_than_half_as_much_are_left_out() -> None:
    for item, words in ((0, ["wool", "red"]), (2, ["four", "two", "five"])):
        ((because,),) = reasons_of({"telling": [1.0]}, [item])
        assert because.words == words


@given(st.lists(st.tuples(*[st.floats(0, 10)] * len(NAMES)), min_size=1, max_size=3))
def test_shares_are_rounded_down_and_no_more_than_one_together(rows: list[tuple[float, ...]]) -> None:
    parts = {name: [row[place] for row in rows] for place, name in enumerate(NAMES)}
    for row, found in zip(rows, reasons_of(parts, list(range(len(rows)))), strict=True):
        exact = {name: value / sum(row) if sum(row) > 0 else 0.0 for name, value in zip(NAMES, row, strict=True)}
        assert sum(because.share for because in found) <= 1 + 1e-9
        assert len(found) <= MAX_PARTS
        assert [because.share for because in found] == sorted((because.share for because in found), reverse=True)
        for because in found:
            assert because.share == pytest.approx(exact[because.source], abs=1.001e-4)
            assert because.share <= exact[because.source] + 1e-9
        expected = {name for name in NAMES[:3] if exact[name] >= MIN_SHARE + 1e-9}
        assert expected <= {because.source for because in found} <= {name for name in NAMES[:3] if exact[name] > 0.0999}


def test_two_halves_that_round_up_are_not_more_than_one() -> None:
    (found,) = reasons_of({"ease": [0.55555], "titles": [0.44445]})
    assert [because.share for because in found] == [0.5555, 0.4444]
