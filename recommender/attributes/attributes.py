"""All attributes of a model's items, by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from recommender.attributes import boolean, number, text, texts, time
from recommender.attributes.base import Attribute, Mask
from recommender.common.messages import shown
from recommender.components.base import ArrayError, Arrays, check_arrays
from recommender.data.bounds import MAX_ATTRIBUTES, MAX_NAME_CHARACTERS
from recommender.data.vocabulary import Vocabulary
from recommender.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TYPES: dict[str, type[Attribute]] = {
    of.name: of
    for of in (
        number.NumberAttribute,
        time.TimeAttribute,
        boolean.BooleanAttribute,
        text.TextAttribute,
        texts.TextsAttribute,
    )
}
FILE = "attributes"  # in the file names of an artifact, before the position of the attribute
MAX_SHOWN = 20  # names in a message


@dataclass(frozen=True)
class Attributes(Mapping[str, Attribute]):
    """The attributes of the items, by name.

    Attributes:
        columns: name -> attribute, in the order of the items channel.
    """

    columns: Mapping[str, Attribute] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Attribute:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @classmethod
    def from_frame(cls, items: Vocabulary, frame: "pd.DataFrame | None") -> Self:
        """Return the attributes of the items of a catalogue. The first value of an item counts.

        Args:
            items: the catalogue.
            frame: from `channels.read_items`: item_id, title and a column for each attribute; None: no attributes.
        """
        if frame is None or len(frame.columns) <= 2:
            return cls()
        import pandas as pd
        import pyarrow as pa

        item_num = pd.Index([*items]).get_indexer(frame["item_id"])
        found: dict[str, Attribute] = {}
        for name in frame.columns.drop(["item_id", "title"]):
            values = pa.chunked_array(pa.array(frame[name])).combine_chunks()
            rows = np.flatnonzero((item_num >= 0) & values.is_valid().to_numpy(zero_copy_only=False))
            row_of = np.full(len(items), -1)
            row_of[item_num[rows[::-1]]] = rows[::-1]  # of equal numbers the last one is kept
            found[name] = _attribute(values.take(pa.array(row_of, mask=row_of < 0)))
        return cls(found)

    def updated(
        self, number_of: NDArray[np.int64], items: Vocabulary, frame: "pd.DataFrame", *, clear_empty: bool = False
    ) -> Self:
        """Return the attributes of a larger catalogue, with the values of a frame.

        Args:
            number_of: (old number of items,), the new number of each.
            items: the new catalogue.
            frame: see `from_frame`; a column that is no attribute yet becomes one.
            clear_empty: whether a missing value of the frame removes the old one; else it changes nothing.

        Raises:
            ValueError: a column has another type than the attribute.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        new = type(self).from_frame(items, frame)
        old_of = np.full(len(items), -1)
        old_of[number_of] = np.arange(len(number_of))
        is_kept = np.ones(len(items), bool)
        given = items.numbers(frame["item_id"])
        is_kept[given[given >= 0]] = not clear_empty
        found: dict[str, Attribute] = dict(new.columns)
        for name, attribute in self.items():
            values = attribute.to_arrow().take(pa.array(old_of, mask=old_of < 0))
            if name in new:
                if new[name].name != attribute.name:
                    raise ValueError(
                        f"column {name!r}: expected {attribute.name}, as in the model, got {new[name].name}"
                    )
                values = pc.if_else(pa.array(is_kept), values, None)
                values = pc.coalesce(new[name].to_arrow(), values)
            found[name] = _attribute(values)
        order = [*self, *(name for name in new if name not in self)]
        return type(self)({name: found[name] for name in order[:MAX_ATTRIBUTES]})

    def of(self, name: str, where: str) -> Attribute:
        """Return an attribute that a request names.

        Raises:
            RequestError: there is no such attribute; the message lists those there are.
        """
        if name in self.columns:
            return self.columns[name]
        known = [f"{name} ({of.name})" for name, of in self.columns.items()]
        more = f" and {len(known) - MAX_SHOWN} others" if len(known) > MAX_SHOWN else ""
        expected = (
            f"the items have {', '.join(known[:MAX_SHOWN])}{more}" if known else "the items of this model have none"
        )
        raise RequestError(where, f"unknown attribute {shown(name)}; {expected}")

    def check_shared(self, name: str) -> None:
        """Check that there is an attribute with this name, and that items share its values.

        Raises:
            ValueError: there is not, or they do not.
        """
        if name not in self:
            raise ValueError(f"the items have no attribute {shown(name)}, but {', '.join(self) or 'none'}")
        self[name].groups(np.empty(0, np.int64))

    def arrays(self) -> Arrays:
        """Return the arrays to keep, by file name without .npy."""
        return {
            file_of(position, name): array
            for position, attribute in enumerate(self.values())
            for name, array in attribute.save().items()
        }

    @property
    def arrow_types(self) -> dict[str, "pa.DataType"]:
        """Name -> the Arrow type of the attribute's column."""
        return {name: attribute.to_arrow().type for name, attribute in self.items()}

    @property
    def description(self) -> list[dict[str, str]]:
        """The name and type of each, for `load`."""
        return [{"name": name, "type": attribute.name} for name, attribute in self.items()]

    @classmethod
    def load(cls, description: Sequence[Mapping[str, str]], arrays: Arrays, num_items: int) -> Self:
        """Return the attributes with these arrays, after checking them.

        Args:
            description: from `checked_description`.
            arrays: by file name without .npy; those of `array_names`.
            num_items: the size of the catalogue.

        Raises:
            ArrayError: an array is not as its type declares.
        """
        found: dict[str, Attribute] = {}
        for position, one in enumerate(description):
            of = TYPES[one["type"]]
            own = {name: arrays[file_of(position, name)] for name in of.arrays}
            check_arrays(of.arrays, own, {"items": num_items}, f"{FILE}.{position}_")
            try:
                found[one["name"]] = of.load(own)
            except ValueError as error:
                raise ArrayError(file_of(position, next(iter(of.arrays))), str(error)) from None
        return cls(found)

    def prepare(self) -> None:
        """Compute what filters need, so that the workers of a server share it."""
        for attribute in self.values():
            attribute.prepare()


def _attribute(values: "pa.Array") -> Attribute:
    """Return the attribute of the type that an Arrow array has."""
    return next(of for of in TYPES.values() if of.accepts(values.type)).from_arrow(values)


def file_of(position: int, array: str) -> str:
    """Return the file name without .npy of an array of the attribute at a position."""
    return f"{FILE}.{position}_{array}"


def array_names(description: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the file names without .npy of the arrays of these attributes."""
    return [file_of(position, name) for position, one in enumerate(description) for name in TYPES[one["type"]].arrays]


def all_array_names() -> list[str]:
    """Return the file names without .npy of the arrays of any attributes."""
    return [name for of in TYPES for name in array_names([{"type": of}] * MAX_ATTRIBUTES)]


def checked_description(value: Any) -> list[dict[str, str]]:  # noqa: ANN401 - any JSON value
    """Return a description that an artifact stores.

    Raises:
        ValueError: it is not a list of names and types.
    """
    if not isinstance(value, list) or len(value) > MAX_ATTRIBUTES:
        raise ValueError(f"attributes: expected a list of at most {MAX_ATTRIBUTES}, got {shown(value)}")
    for one in value:
        if not (isinstance(one, dict) and one.keys() == {"name", "type"} and one["type"] in TYPES):
            raise ValueError(f"attributes: expected a name and a type of {', '.join(TYPES)}, got {shown(one)}")
        if not (isinstance(one["name"], str) and 0 < len(one["name"]) <= MAX_NAME_CHARACTERS):
            raise ValueError(f"attributes: expected a name of 1 to {MAX_NAME_CHARACTERS} characters")
    if len({one["name"] for one in value}) < len(value):
        raise ValueError("attributes: expected each name once")
    return value


__all__ = ["Attributes", "Mask", "array_names", "checked_description", "file_of"]
