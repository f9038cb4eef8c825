"""New items and changed titles and attributes without a new fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from support import shop

from recommender.artifacts import model_folder
from recommender.artifacts.new_items import moved_array, with_items
from recommender.cli import update_items
from recommender.components.base import Array
from recommender.data.frames import checked_items
from recommender.data.options import EventOptions
from recommender.data.vocabulary import StringTable
from recommender.models.title_index import TitleIndex
from recommender.models.title_vectors import fit_titles
from recommender.pipeline.recommendations import Event
from recommender.pipeline.recommender import Recommender

USERS = [f"u{number:02d}" for number in range(20)]
ITEMS = shop.titles()["item_id"].tolist()


@pytest.fixture(scope="module", params=["auto", "paper"])
def before(request: pytest.FixtureRequest) -> Recommender:
    return shop.with_attributes(shop.recommender(pipeline=request.param))


@pytest.fixture(scope="module")
def auto() -> Recommender:
    return shop.with_attributes(shop.recommender())


def frame(**columns: list[Any]) -> pd.DataFrame:
    return checked_items("items", pd.DataFrame({"title": "", **columns}), EventOptions())


def updated(recommender: Recommender, items: pd.DataFrame, folder: Path) -> Recommender:
    """Return the recommender after an update, loaded from its folder."""
    model_folder.save(with_items(recommender.model, items), folder)
    return Recommender.load(folder)


def responses(recommender: Recommender, **rules: Any) -> list[Any]:  # noqa: ANN401 - of any type
    found = [recommender.recommend(user, **rules) for user in [*USERS, "stranger"]]
    found.append(recommender.recommend("new", [Event("w02"), Event("s01")], **rules))
    return found


NEW = ["a0", "s05b", "w11x", "zz"]  # before, among and after the others


def test_items_with_unknown_words_change_no_response(before: Recommender, tmp_path: Path) -> None:
    after = updated(before, frame(item_id=NEW, title=["qqq", "rrr", "sss", "ttt"]), tmp_path)
    assert [*after.model.items] == sorted([*before.model.items, *NEW])
    assert responses(after) == responses(before)
    for rules in ({"max_per": {"store": 3}}, {"filter": {"price": {"max": 10}}}, {"diversity": 0.4}):
        assert responses(after, **rules) == responses(before, **rules)
    assert after.related("w04") == before.related("w04")
    assert after.onboarding() == before.onboarding()
    assert after.trending() == before.trending()


def test_a_new_item_is_recommended_by_its_title_at_once(auto: Recommender, tmp_path: Path) -> None:
    new = frame(item_id=["new-wool", "new-silk"], title=["red wool scarf", "red silk dress"], price=[3.0, 4.0])
    after = updated(auto, new, tmp_path)
    for number in range(10):
        taste = "new-wool" if number % 2 == 0 else "new-silk"
        found = after.recommend(USERS[number], explore=0.2)
        cold = [item for item in found.items if item.rule == "explore"]
        assert cold[0].item_id in (taste, "w24", "s25")
        assert after.rank(USERS[number], ["new-wool", "new-silk"]).items[0].item_id == taste
    similar = after.model.sources["titles"].top(
        after.query("x", [Event("w00")]), 1
    )  # the title of w00 is red wool scarf
    assert similar is not None
    assert after.model.items.id(int(similar.item_num[0])) == "new-wool"
    assert [item.item_id for item in after.recommend("stranger", filter={"price": {"min": 3, "max": 4}}).items] == [
        "new-silk",
        "new-wool",
    ]


def test_prices_and_stock_change_and_missing_values_do_not(auto: Recommender, tmp_path: Path) -> None:
    after = updated(auto, frame(item_id=["w00", "s01"], price=[99.0, None], in_stock=[True, True]), tmp_path)
    assert [item.item_id for item in after.recommend("stranger", filter={"price": {"min": 90}}).items] == ["w00"]
    stock, price = ("in_stock", {"is": True}), ("price", {"missing": False})
    for name, condition in (stock, price):
        found, expected = (
            {item.item_id for item in one.recommend("stranger", top_k=26, filter={name: condition}).items}
            for one in (after, auto)
        )
        assert found - expected <= {"w00", "s01"}
    assert after.model.titles.text(after.model.items.number("w00") or 0) == "red wool scarf no00"


def test_a_new_column_becomes_an_attribute(auto: Recommender, tmp_path: Path) -> None:
    after = updated(auto, frame(item_id=["w00"], season=["winter"]), tmp_path)
    assert [item.item_id for item in after.recommend("new", filter={"season": {"any": ["winter"]}}).items] == ["w00"]


def test_a_changed_title_changes_what_it_is_similar_to(auto: Recommender, tmp_path: Path) -> None:
    after = updated(auto, frame(item_id=["w24"], title=["red silk dress no01"]), tmp_path)
    found = after.recommend("u01", explore=0.4)
    assert "w24" in [item.item_id for item in found.items if item.rule == "explore"]


def test_an_update_without_changes_gives_the_same_bytes(before: Recommender, tmp_path: Path) -> None:
    model_folder.save(before.model, tmp_path / "before")
    model_folder.save(with_items(before.model, frame(item_id=["w00"])), tmp_path / "after")
    for path in (tmp_path / "before").iterdir():
        assert (tmp_path / "after" / path.name).read_bytes() == path.read_bytes(), path.name


def test_several_updates_give_the_model_of_one(auto: Recommender, tmp_path: Path) -> None:
    one, two = frame(item_id=["a0"], title=["qqq"]), frame(item_id=["b0"], title=["rrr"])
    both = frame(item_id=["a0", "b0"], title=["qqq", "rrr"])
    model_folder.save(with_items(with_items(auto.model, two), one), tmp_path / "steps")
    model_folder.save(with_items(auto.model, both), tmp_path / "once")
    for path in (tmp_path / "once").iterdir():
        assert (tmp_path / "steps" / path.name).read_bytes() == path.read_bytes(), path.name


TITLES = ["red wool scarf", "blue wool scarf scarf", "red silk dress", "", "a b c", "wool dress of silk and wool"]


@pytest.mark.parametrize("max_words", [1, 2])
@pytest.mark.parametrize(
    "title", ["red scarf", "wool wool dress", "Silk, red!", "unknown words", "", "scarf and silk and"]
)
def test_a_title_is_encoded_as_scikit_learn_does(title: str, max_words: int) -> None:
    vectors = fit_titles(TITLES, max_words)
    known = [text for text in TITLES if text.strip()]
    vectorizer = TfidfVectorizer(ngram_range=(1, max_words), dtype=np.float32).fit(known)
    expected = vectorizer.transform([title])
    expected.sort_indices()
    # Titles without a word of two letters count in scikit-learn's number of documents, and not here.
    index = TitleIndex.of(vectors, StringTable.from_strings(TITLES))
    term, weight = index.encode(title, max_words)
    assert term.tolist() == expected.indices.tolist()
    assert weight == pytest.approx(expected.data, rel=0.05)


@given(st.integers(1, 8), st.sets(st.integers(0, 11), min_size=8, max_size=8), st.randoms(use_true_random=False))
def test_arrays_move_with_their_items(num_columns: int, places: set[int], random: Any) -> None:  # noqa: ANN401
    number_of = np.array(sorted(places))
    table = np.array([[random.random() for _ in range(num_columns)] for _ in range(8)])
    moved = moved_array(table, Array(np.float64, ("items", "d")), number_of, 12)
    assert np.array_equal(moved[number_of], table)
    assert not np.delete(moved, number_of, axis=0).any()
    assert np.array_equal(moved_array(table.T, Array(np.float64, ("d", "items")), number_of, 12), moved.T)
    lengths = np.array([random.randrange(3) for _ in range(8)])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    moved = moved_array(offsets, Array(np.int64, ("items+1",), offsets_of="entries"), number_of, 12)
    assert np.diff(moved)[number_of].tolist() == lengths.tolist()
    assert moved[-1] == offsets[-1]
    numbers = np.array([random.randrange(8) for _ in range(20)], np.int32)
    moved = moved_array(numbers, Array(np.int32, ("entries",), below="items"), number_of, 12)
    assert moved.tolist() == number_of[numbers].tolist()
    assert moved.dtype == np.int32


# The command


@pytest.fixture
def folder(auto: Recommender, tmp_path: Path) -> Path:
    auto.save(tmp_path / "model")
    return tmp_path / "model"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(folder: Path, content: str, *options: str) -> int:
    path = folder.parent / "items.csv"
    path.write_text(content)
    return update_items.main([str(path), "--model", str(folder), *options])


def test_the_command_replaces_the_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deny.txt").write_text("w00\n")
    assert run(folder, "item_id,title,price\nnew,red wool scarf,7\nw02,,8\nother,,\n") == 0
    found = Recommender.load(folder)
    assert found.model.items.number("new") is not None
    assert found.model.items.number("other") is None
    assert (folder / "deny.txt").read_text() == "w00\n"
    said = capsys.readouterr().out
    assert "new items: 1; known items with a row: 1; left out, because they have no title: 1" in said


def test_the_command_can_write_another_folder_and_leaves_the_model(folder: Path, tmp_path: Path) -> None:
    (folder / "deny.txt").write_text("w02\n")
    before = files(folder)
    assert run(folder, "item_id,price\nw00,99\n", "--output", str(tmp_path / "other")) == 0
    assert (tmp_path / "other" / "deny.txt").read_text() == "w02\n"
    (tmp_path / "other" / "deny.txt").write_text("w04\n")
    assert run(folder, "item_id,price\nw00,99\n", "--output", str(tmp_path / "other")) == 0
    assert (tmp_path / "other" / "deny.txt").read_text() == "w04\n"  # the folder's own list stays
    assert files(folder) == before
    found = Recommender.load(tmp_path / "other")
    assert [item.item_id for item in found.recommend("x", filter={"price": {"min": 90}}).items] == ["w00"]


def test_an_empty_value_changes_nothing_or_removes_that_of_the_item(folder: Path) -> None:
    def cheap() -> set[str]:
        conditions = {"price": {"max": 5}, "store": {"missing": False}}
        return {item.item_id for item in Recommender.load(folder).recommend("x", top_k=50, filter=conditions).items}

    before = cheap()
    one, other = sorted(before)[:2]
    assert run(folder, f"item_id,price,store\n{one},,\n") == 0
    assert cheap() == before
    assert run(folder, f"item_id,price\n{one},\n", "--clear-empty") == 0
    assert cheap() == before - {one}
    assert run(folder, f"item_id,store\n{other},\n", "--clear-empty") == 0
    assert cheap() == before - {one, other}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "item_id,price\ns01,7\nw00,cheap\n",
            "items.csv: row 2 below the header: 'cheap': column 'price': expected number, as in the model, got text",
        ),
        ("item_id,in_stock\nw00,7\n", "column 'in_stock': expected boolean, as in the model, got text"),
        (
            f"item_id,store\nw00,{'long' * 60}\n",
            "column 'store': can't be an item attribute: expected texts",
        ),
        ("id,title\nw00,a\n", "column 'item_id' is missing"),
        ("item_id,title\n", "expected at least one row"),
        ('item_id,title\nw00,"open\n', "quote"),
    ],
)
def test_a_failed_update_leaves_the_model_as_it_was(
    folder: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(folder)
    assert run(folder, content) == 1
    assert message in capsys.readouterr().err
    assert files(folder) == before


def test_texts_of_digits_stay_texts(folder: Path) -> None:
    assert run(folder, "item_id,store\nw00,365\n") == 0
    found = Recommender.load(folder).recommend("x", filter={"store": {"any": ["365"]}})
    assert [item.item_id for item in found.items] == ["w00"]


def test_a_model_without_titles_takes_new_items(tmp_path: Path) -> None:
    plain = Recommender(replace(shop.recommender(pipeline="paper").model))
    after = updated(plain, frame(item_id=["new"], title=["red wool scarf"]), tmp_path)
    assert "new" not in [item.item_id for item in after.recommend("u00", top_k=30).items]
