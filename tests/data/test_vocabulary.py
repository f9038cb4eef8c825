from hypothesis import given
from hypothesis import strategies as st

from recommender.data.vocabulary import StringTable, Vocabulary

texts = st.text(max_size=20)


@given(st.lists(texts))
def test_a_string_table_gives_back_every_string(strings: list[str]) -> None:
    table = StringTable.from_strings(strings)
    assert [table.text(number) for number in range(len(table))] == strings


@given(st.sets(texts), texts)
def test_a_vocabulary_numbers_ids_in_order_of_code_points(ids: set[str], other: str) -> None:
    names = sorted(ids)
    vocabulary = Vocabulary.from_sorted(names)
    assert [vocabulary.number(name) for name in names] == list(range(len(names)))
    assert [vocabulary.id(number) for number in range(len(names))] == names
    assert vocabulary.number(other) == (names.index(other) if other in ids else None)


def test_an_id_that_is_not_unicode_text_is_unknown() -> None:
    assert Vocabulary.from_sorted(["a", "b"]).number("\ud800") is None
