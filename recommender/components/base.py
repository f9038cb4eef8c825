"""The contract of a component: options, fit, saving and loading."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from recommender.components.fit_context import FitContext
from recommender.data.options import SharedOptions

LARGEST = 1e300  # of a number that a component keeps; larger whole numbers of JSON are no float
Arrays = Mapping[str, np.ndarray]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Array:
    """The dtype and shape of an array that a component keeps.

    Attributes:
        dtype: exactly this one.
        shape: a size for each axis: "users", "items", "users+1", "items+1", the name of an option that is a whole
            number, or "" for any size.
    """

    dtype: DTypeLike
    shape: tuple[str, ...]

    def check(self, name: str, array: np.ndarray, sizes: Mapping[str, int]) -> None:
        """Check that an array has this dtype and shape.

        Raises:
            ValueError: the dtype or the shape differs.
        """
        if array.dtype != np.dtype(self.dtype):
            raise ValueError(f"{name}: expected {np.dtype(self.dtype)}, got {array.dtype}")
        expected = tuple(sizes.get(size) for size in self.shape)
        fits = len(array.shape) == len(expected) and all(
            size is None or size == found for size, found in zip(expected, array.shape, strict=True)
        )
        if not fits:
            names = " x ".join(f"{size} ({sizes[size]:,})" if size in sizes else "any" for size in self.shape)
            raise ValueError(f"{name}: expected the shape {names}, got {' x '.join(map(str, array.shape))}")


@dataclass(frozen=True)
class Reason:
    """What a score is mainly made of.

    Attributes:
        item_num: items of the user's history, those that add most first.
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
            arrays: memory-mapped, of the dtypes and shapes that `arrays` names.
            values: finite numbers.
            options: the options of the fit.

        Raises:
            ValueError: the arrays and numbers do not belong together.
        """

    def word_weights(self, item_num: int, title: str) -> Mapping[str, float]:
        """Return how telling each word of an item's title is, in lower case; none if unknown."""
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
        """Return the component that `save` stored, after checking dtypes, shapes and numbers.

        Raises:
            ValueError: an array or a number is invalid; the message names it.
        """
        sizes = {"users": num_users, "users+1": num_users + 1, "items": num_items, "items+1": num_items + 1}
        sizes |= {name: value for name, value in options.model_dump().items() if isinstance(value, int)}
        for name, array in cls.arrays.items():
            array.check(f"{cls.name}.{name}", arrays[name], sizes)
        for name in cls.values:
            if not isinstance(values[name], int | float) or not abs(values[name]) < LARGEST:
                raise ValueError(f"{cls.name}.{name} is not a finite number")
        return cls.load(arrays, values, options)
