"""The contract of a component: options, fit, saving and loading."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recommender.common.messages import shown
from recommender.components.fit_context import FitContext
from recommender.data.options import SharedOptions
from recommender.data.vocabulary import StringTable
from recommender.models.title_vectors import TitleVectors

LARGEST = 1e15  # maximum of a saved number: products of several stay finite, also in float32
LARGEST_SUM = 1e30  # maximum of a sum over many events
UNIT = 1.001  # maximum of an entry of a row with norm 1; float32 exceeds 1 slightly
AT_ONCE = 2**18  # numbers per check; they stay in the cache
Arrays = Mapping[str, np.ndarray]
Values = Mapping[str, float]
Sizes = dict[str, int]


class ArrayError(ValueError):
    """An array does not match its declaration; `array` is its name, `problem` the expectation."""

    def __init__(self, array: str, problem: str) -> None:
        super().__init__(f"{array}: {problem}")
        self.array = array
        self.problem = problem


@dataclass(frozen=True)
class Array:
    """The requirements for a saved array of a component: dtype, shape and range of the values.

    Attributes:
        dtype: the dtype, exactly.
        shape: a size for each axis: "users", "items", the name of an option or value that is a whole number, or any
            other name for a size that the arrays of the component share. "+1" adds one. "" is any size.
        low, high: the range of the values, both included. NaN is never in it.
        below: a size, if the values are numbers from 0 to below it.
        offsets_of: a size, if the values are offsets: they begin at 0, never descend and end at it.
    """

    dtype: DTypeLike
    shape: tuple[str, ...]
    low: float = -math.inf
    high: float = math.inf
    below: str = ""
    offsets_of: str = ""

    def check_shape(self, array: np.ndarray, sizes: Mapping[str, int]) -> dict[str, int]:
        """Check dtype and shape; return `sizes` and those that the shape of this array sets.

        Raises:
            ValueError: the dtype or the shape differs.
        """
        if array.dtype != np.dtype(self.dtype):
            raise ValueError(f"expected {np.dtype(self.dtype)}, got {array.dtype}")
        found = dict(sizes)
        fits = len(array.shape) == len(self.shape)
        for name, length in zip(self.shape, array.shape, strict=False):
            base, plus, _ = name.partition("+1")
            fits = fits and length >= bool(plus)
            if base:
                fits = fits and found.setdefault(base, length - bool(plus)) == length - bool(plus)
        if not fits:
            names = " x ".join(_with_size(name, sizes) for name in self.shape)
            raise ValueError(f"expected the shape {names}, got {' x '.join(map(str, array.shape)) or 'no axis'}")
        return found

    def check_values(self, array: np.ndarray, sizes: Mapping[str, int]) -> None:
        """Check the range and the order of the values; O(values), in parts of `AT_ONCE`.

        Raises:
            ValueError: a value is out of range or out of order.
        """
        flat = array.reshape(-1)
        if flat.dtype == bool:
            self._check_range(flat.view(np.uint8), 0, 1)
        elif self.below:
            self._check_range(flat, 0, sizes[self.below] - 1)
        elif self.offsets_of:
            _check_offsets(flat, sizes[self.offsets_of])
        elif flat.dtype.kind == "f" or (self.low, self.high) != (-math.inf, math.inf):
            self._check_range(flat, self.low, self.high)

    @staticmethod
    def _check_range(values: np.ndarray, low: float, high: float) -> None:
        for begin in range(0, len(values), AT_ONCE):
            part = values[begin : begin + AT_ONCE]
            least, most = part.min(), part.max()
            if not (low <= least and most <= high):  # NaN is neither
                raise ValueError(f"expected numbers from {low:g} to {high:g}, got {least:g} to {most:g}")


def _with_size(name: str, sizes: Mapping[str, int]) -> str:
    base, plus, _ = name.partition("+1")
    return f"{name} ({sizes[base] + bool(plus):,})" if base in sizes else "any"


def _check_offsets(offsets: np.ndarray, end: int) -> None:
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != end:
        raise ValueError(f"expected offsets from 0 to the {end:,} entries that they divide")
    for begin in range(0, len(offsets), AT_ONCE):
        part = offsets[begin : begin + AT_ONCE + 1]
        if (part[1:] < part[:-1]).any():
            raise ValueError("expected offsets that do not descend")


def check_arrays(declared: Mapping[str, Array], arrays: Arrays, sizes: Mapping[str, int], prefix: str = "") -> Sizes:
    """Check that arrays are as declared; return `sizes` and those that the shapes set.

    Args:
        declared: by name.
        arrays: by name; at least those declared.
        sizes: known sizes.
        prefix: before the names in errors.

    Raises:
        ArrayError: an array is not as declared.
    """
    known = dict(sizes)
    for name, array in declared.items():
        try:
            known = array.check_shape(arrays[name], known)
        except ValueError as error:
            raise ArrayError(prefix + name, str(error)) from None
    for name, array in declared.items():
        try:
            array.check_values(arrays[name], known)
        except ValueError as error:
            raise ArrayError(prefix + name, str(error)) from None
    return known


@dataclass(frozen=True)
class Reason:
    """The main origin of a score.

    Attributes:
        item_num: items of the user's history, largest contribution first.
        text: a few words, such as "popular this month".
    """

    item_num: tuple[int, ...] = ()
    text: str = ""


class Component(ABC):
    """A part of a model: a candidate source or a ranking feature.

    A component is one file. Its folder is scanned, so nothing else names it. Import torch, scipy, pandas and
    scikit-learn only inside `fit`: the server loads components and none of these packages.

    Attributes:
        name: lower-case letters, digits and underscores; also the prefix of its hyper-parameters and arrays.
        Options: its options, each with a default, a range and a description.
        hyperparameters: option -> hyper-parameter, for options with a name of their own; `<name>_<option>` works too.
        arrays: the arrays that it keeps.
        values: the numbers that it keeps.
        metrics: the numbers that `fit` records and SageMaker may read as metrics.
        is_content: whether it compares contents of items. The learned ranking then also multiplies it with the others,
            and a reason has the words that two titles share.
        shown_as: the field of a recommended item in the response that holds its number.
        shown_description: the description of that field in the OpenAPI document.
    """

    name: ClassVar[str]
    Options: ClassVar[type[SharedOptions]] = SharedOptions
    hyperparameters: ClassVar[Mapping[str, str]] = {}
    arrays: ClassVar[Mapping[str, Array]] = {}
    values: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ()
    is_content: ClassVar[bool] = False
    shown_as: ClassVar[str | None] = None
    shown_description: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def fit(cls, context: FitContext, options: Any) -> Self:  # noqa: ANN401 - the component's own Options
        """Return the component, fitted to the training data.

        Args:
            context: the data, and where to record metrics.
            options: an instance of `Options`.

        Raises:
            RecommenderError: the data can't be fitted.
        """

    @abstractmethod
    def save(self) -> tuple[Arrays, Values]:
        """Return the arrays and numbers to keep: those that `arrays` and `values` name."""

    @classmethod
    @abstractmethod
    def load(cls, arrays: Arrays, values: Values, options: Any) -> Self:  # noqa: ANN401 - see `fit`
        """Return the component that `save` stored.

        Args:
            arrays: read-only, of the dtypes, shapes and values that `arrays` declares.
            values: numbers of at most `LARGEST`.
            options: the options of the fit.

        Raises:
            ValueError: the arrays and numbers do not belong together.
        """

    def title_vectors(self) -> TitleVectors | None:
        """Return the vectors of the items' titles, if it has any."""
        return None

    def with_titles(self, item_num: NDArray[np.integer], titles: Sequence[str], before: StringTable) -> Self:
        """Return the component after the titles of some items have changed; itself if it does not use titles.

        Args:
            item_num: (n,), the items, each once.
            titles: their new titles.
            before: the titles of all items before.
        """
        return self

    def word_weights(self, item_num: int, title: str) -> Mapping[str, float]:
        """Return the weight of each word of an item's title, in lower case; empty if unknown."""
        return {}

    @classmethod
    def own_options(cls) -> list[str]:
        """Return the names of the component's own options, without the shared ones."""
        return [name for name in cls.Options.model_fields if name not in SharedOptions.model_fields]

    @classmethod
    def hyperparameter(cls, option: str) -> str:
        """Return the hyper-parameter of an option."""
        return cls.hyperparameters.get(option, f"{cls.name}_{option}")

    @classmethod
    def checked(cls, arrays: Arrays, values: Values, options: SharedOptions, num_users: int, num_items: int) -> Self:
        """Return the component that `save` stored, after checking arrays and numbers.

        Raises:
            ArrayError: an array is not as declared.
            ValueError: a number is invalid, or arrays and numbers do not belong together; the message says which.
        """
        for name in cls.values:
            value = values[name]
            if type(value) not in (int, float) or not abs(value) <= LARGEST:
                raise ValueError(f"{cls.name}.{name}: expected a number up to {LARGEST:g}, got {shown(value)}")
        whole = {**options.model_dump(), **{name: values[name] for name in cls.values}}
        sizes = {name: value for name, value in whole.items() if type(value) is int}
        sizes |= {"users": num_users, "items": num_items}
        check_arrays(cls.arrays, arrays, sizes, f"{cls.name}.")
        return cls.load(arrays, values, options)
