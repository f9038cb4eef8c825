"""Configuration: layers of values, strict types and ranges. The options classes have the defaults."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from recommender.common.messages import first_problem, shown
from recommender.errors import ConfigError

PYTHON_WORDS = {"True": True, "False": False, "None": None}  # the SageMaker SDK writes values like this
# The SageMaker toolkits and hyper-parameter tuning add keys with these prefixes. They are not options of this project.
RESERVED_PREFIXES = ("sagemaker_", "_tuning_objective_metric", "default_user_module_name")


@dataclass(frozen=True)
class Range:
    """The range of a hyper-parameter in a search.

    Attributes:
        low: lowest value; an int if the hyper-parameter is a whole number.
        high: highest value.
        logarithmic: whether the scale is logarithmic; otherwise it is linear.
    """

    low: float
    high: float
    logarithmic: bool = True

    @property
    def whole(self) -> bool:
        """Return whether the range has whole numbers only."""
        return isinstance(self.low, int)


class Config(BaseModel):
    """A configuration. The constructor checks every value, with strict types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    called: ClassVar[str]  # messages use this word for a value
    aliases: ClassVar[Mapping[str, str]] = {}  # another spelling of a name -> the name

    @classmethod
    def from_layers(cls, layers: Iterable[tuple[str, Mapping[str, object]]]) -> Self:
        """Return the configuration of layers `(source, values)`. Later layers override earlier ones.

        SageMaker passes all values as strings. A string that is JSON ("10", "0.5", "true") is decoded; any other string
        stays as it is. The SageMaker training toolkit does the same (contract T20). Reserved keys are ignored (T19).

        Raises:
            ConfigError: a name is unknown or given twice, or a value has the wrong type or is out of range. The
                message names the source.
        """
        values: dict[str, object] = {}
        sources: dict[str, str] = {}
        for source, layer in layers:
            for name, value in cls._by_name(source, layer).items():
                values[name], sources[name] = _decode(value), source
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            name, message = first_problem(error, cls)
            if not name:  # the problem is a combination of values
                all_sources = ", ".join(dict.fromkeys(sources.values()))
                raise ConfigError(f"{all_sources}: {cls.called}s: {message}") from None
            raise ConfigError(f"{sources[name]}: {cls.called} {shown(name)}: {message}") from None

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, object], source: str) -> Self:
        """Return the configuration with `values` from one source; see `from_layers`."""
        return cls.from_layers([(source, values)])

    @classmethod
    def _by_name(cls, source: str, layer: Mapping[str, object]) -> dict[str, object]:
        """Return the values of a layer by name, without reserved keys. Replace aliases by their names."""
        values: dict[str, object] = {}
        for given, value in layer.items():
            name = cls.aliases.get(given, given)
            if name in values:
                other = next(alias for alias in layer if alias != given and cls.aliases.get(alias, alias) == name)
                raise ConfigError(f"{source}: {cls.called}s {other} and {given} are the same: give one of them")
            if not name.startswith(RESERVED_PREFIXES):
                values[name] = value
        return values


def words_of(field: FieldInfo) -> list[str]:
    """Return the words that a field accepts; an empty list for a number or free text."""
    if field.annotation is bool:
        return ["true", "false"]
    return [word for word in get_args(field.annotation) if isinstance(word, str)]


def joined(value: object) -> object:
    """Return a list of names or an object of pairs as the text of an option; any other value unchanged."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={entry}" for name, entry in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def as_written(value: object) -> str:
    """Return a value of a configuration as a user writes it; '' for None."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decode(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value in PYTHON_WORDS:
        return PYTHON_WORDS[value]
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    # "1e400" is JSON for infinity. Keep the string: the error message then shows what the user wrote.
    return value if isinstance(decoded, float) and not math.isfinite(decoded) else decoded
