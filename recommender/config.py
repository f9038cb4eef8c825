"""Values that a user sets: layers, strict types, ranges. Defaults stand in the options class that each belongs to."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from recommender.common.messages import first_problem, shown
from recommender.errors import ConfigError

# Keys of the SageMaker toolkits and of hyper-parameter tuning; they are addressed to others.
RESERVED_PREFIXES = ("sagemaker_", "_tuning_objective_metric", "default_user_module_name")


@dataclass(frozen=True)
class Range:
    """What a search tries of a hyper-parameter.

    Attributes:
        low: least value; a whole number where the hyper-parameter is one.
        high: greatest value.
        logarithmic: whether a factor counts, from 0.1 to 1 as much as from 1 to 10; else a difference does.
    """

    low: float
    high: float
    logarithmic: bool = True

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int)


class Config(BaseModel):
    """Values that a user sets; every one is checked, in strict types, at construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    called: ClassVar[str]  # what messages call one of them
    aliases: ClassVar[Mapping[str, str]] = {}  # another spelling of a name -> the name

    @classmethod
    def from_layers(cls, layers: Iterable[tuple[str, Mapping[str, object]]]) -> Self:
        """Return the configuration that `(source, values)` describe; a later layer wins over those before it.

        A value that is a string, as all of SageMaker's are, is decoded as JSON where it is JSON ("10", "0.5",
        "true") and kept otherwise, as the SageMaker training toolkit does (contract T20); reserved keys are
        ignored (T19).

        Raises:
            ConfigError: a name is unknown or given twice, or a value is of the wrong type or out of range; says in
                which source.
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
            if not name:  # of several together
                everywhere = ", ".join(dict.fromkeys(sources.values()))
                raise ConfigError(f"{everywhere}: {cls.called}s: {message}") from None
            raise ConfigError(f"{sources[name]}: {cls.called} {shown(name)}: {message}") from None

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, object], source: str) -> Self:
        """Return the configuration that `values` from one source describe; see `from_layers`."""
        return cls.from_layers([(source, values)])

    @classmethod
    def _by_name(cls, source: str, layer: Mapping[str, object]) -> dict[str, object]:
        """Return the values of a layer without reserved keys, by the name that each alias stands for."""
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
    """Return the words that a field may be; none if it is a number or free text."""
    if field.annotation is bool:
        return ["true", "false"]
    return [word for word in get_args(field.annotation) if isinstance(word, str)]


def as_written(value: object) -> str:
    """Return a value of a configuration as a user writes it; '' for none."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decode(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    # "1e400" is JSON and infinite; a message about the string the user wrote is clearer.
    return value if isinstance(decoded, float) and not math.isfinite(decoded) else decoded
