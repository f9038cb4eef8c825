"""Times, such as the day on which an item went on sale."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BeforeValidator, Field

from recommender.attributes.number import NumberAttribute, Range
from recommender.data.clock import TIME_EXAMPLES, parse_time, seconds_per_unit

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LENGTH = 40  # characters of a time that is a text
MAX_TIME = 1e19


def _milliseconds(value: object) -> object:
    """Return a time of a request in milliseconds since 1970."""
    if isinstance(value, str) and len(value) <= MAX_LENGTH:
        return float(parse_time(value))
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_TIME
    unit = seconds_per_unit(abs(float(value))) if is_number else None  # type: ignore[arg-type]  # it is a number
    if value is not None and unit is None:
        raise ValueError(f"expected seconds or milliseconds since 1970, or {TIME_EXAMPLES}")
    return None if value is None else float(value) * unit * 1000  # type: ignore[arg-type, operator]


Moment = Annotated[float | None, BeforeValidator(_milliseconds, json_schema_input_type=float | str | None)]


class Period(Range):
    """A period, both ends included."""

    min: Moment = Field(None, description="earliest time")
    max: Moment = Field(None, description="latest time")


class TimeAttribute(NumberAttribute):
    """Milliseconds since 1970 for each item, or none."""

    name = "time"
    conditions = Period

    @classmethod
    def accepts(cls, kind: "pa.DataType") -> bool:
        """Return whether it is a timestamp."""
        return str(kind) == "timestamp[ms]"

    @classmethod
    def from_arrow(cls, values: "pa.Array") -> Self:
        """Return the attribute with these times."""
        return super().from_arrow(values.cast("int64").cast("double"))

    def to_arrow(self) -> "pa.Array":
        """Return the times."""
        return super().to_arrow().cast("int64").cast("timestamp[ms]")
