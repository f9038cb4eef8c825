"""Add items to a fitted model, and change titles and attributes, without a new fit.

Item numbers follow the order of IDs. So new items shift the numbers of others, and every array with item numbers, or
with a row for each item, is written anew. The declaration of an array says what it has, so a component takes part
without code of its own. Items keep their order, so all ties stay.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.model_folder import Model
from recommender.common.messages import shown
from recommender.components.base import Array, Component
from recommender.data.vocabulary import StringTable, Vocabulary

if TYPE_CHECKING:
    import pandas as pd

MAX_NAMED = 3  # items in a message


def with_items(model: Model, frame: "pd.DataFrame", *, clear_empty: bool = False) -> Model:
    """Return the model with the items of a frame.

    New items need a title, since only the titles can propose them. A title or a value of an attribute replaces that of
    a known item; a missing one changes nothing, or removes that of the attribute.

    Args:
        model: the fitted model.
        frame: from `channels.read_items`.
        clear_empty: whether a missing value of an attribute removes the item's value.

    Raises:
        ValueError: an attribute has another type in the model.
    """
    titles = _titles(frame)
    known = set(model.items)
    new = sorted(item_id for item_id in titles if item_id not in known)
    items = Vocabulary.from_sorted(sorted([*known, *new]))
    number_of = items.numbers(model.items).astype(np.int64)  # old number -> new number
    texts = [""] * len(items)
    for old, number in enumerate(number_of.tolist()):
        texts[number] = model.titles.text(old)
    changed = {
        number: titles[item_id]
        for number, item_id in enumerate(items)
        if item_id in titles and titles[item_id] != texts[number]
    }
    before = StringTable.from_strings(texts)
    for number, title in changed.items():
        texts[number] = title
    places, wanted = np.array(sorted(changed), np.int64), [changed[number] for number in sorted(changed)]

    def renumbered(component: Any) -> Any:  # noqa: ANN401 - a source or a feature
        moved = _renumbered(component, model, number_of, len(items))
        return moved.with_titles(places, wanted, before) if len(places) else moved

    histories, questions = model.histories, model.questionnaire
    return replace(
        model,
        items=items,
        titles=StringTable.from_strings(texts),
        histories=replace(histories, item_num=number_of[histories.item_num].astype(np.int32)),
        sources={name: renumbered(source) for name, source in model.sources.items()},
        features={name: renumbered(feature) for name, feature in model.features.items()},
        attributes=model.attributes.updated(number_of, items, frame, clear_empty=clear_empty),
        questionnaire=number_of[questions].astype(np.int32),
    )


def _titles(frame: "pd.DataFrame") -> dict[str, str]:
    """Return the first title of each item that has one."""
    named = frame[frame["title"].str.strip() != ""].drop_duplicates("item_id")
    return dict(zip(named["item_id"], named["title"], strict=True))


def _renumbered(component: Component, model: Model, number_of: NDArray[np.int64], num_items: int) -> Component:
    """Return a component with other item numbers, and with nothing known about the new items."""
    kind = type(component)
    arrays, values = component.save()
    moved = {name: moved_array(arrays[name], declared, number_of, num_items) for name, declared in kind.arrays.items()}
    options = model.config.of(kind.Options)
    return kind.checked(moved, values, options, len(model.users), num_items)


def moved_array(array: NDArray[Any], declared: Array, number_of: NDArray[np.int64], num_items: int) -> NDArray[Any]:
    """Return an array of a component after its items have got other numbers.

    Args:
        array: as `declared` says.
        declared: its declaration. Values below "items" are item numbers. An axis "items" has a row for each item; that
            of a new item is zero. An axis "items+1" has offsets; those of a new item are empty.
        number_of: (old number of items,), ascending.
        num_items: the new number of items.
    """
    if declared.below == "items":
        array = number_of[array].astype(array.dtype)
    for axis, name in enumerate(declared.shape):
        if name == "items":
            shape = list(array.shape)
            shape[axis] = num_items
            wider = np.zeros(shape, array.dtype)
            np.moveaxis(wider, axis, 0)[number_of] = np.moveaxis(array, axis, 0)
            array = wider
        elif name == "items+1":
            lengths = np.zeros(num_items, np.int64)
            lengths[number_of] = np.diff(array)
            array = np.concatenate([[0], np.cumsum(lengths)]).astype(array.dtype)
    return array


def summary(before: Model, after: Model, frame: "pd.DataFrame") -> str:
    """Return in a few words what an update changed."""
    added = len(after.items) - len(before.items)
    known = len({*before.items} & {*frame["item_id"]})
    left_out = sorted({*frame["item_id"]} - {*after.items})
    repeated = len(frame) - frame["item_id"].nunique()
    text = f"new items: {added:,}; known items with a row: {known:,}"
    if left_out:
        some = ", ".join(map(shown, left_out[:MAX_NAMED]))
        text += f"; left out, because they have no title: {len(left_out):,}, such as {some}"
    return text + (f"; rows of an item that has one already: {repeated:,}; the first value counts" if repeated else "")
