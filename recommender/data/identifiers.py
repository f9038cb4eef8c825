"""The types of IDs and of whole numbers in a request."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from recommender.data.vocabulary import MAX_ID_CHARACTERS


def _digits(value: object) -> object:
    """Return an integer as its digits, like the IDs of the channels."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    """Return 5.0 as 5: in JSON it is a whole number, and some languages write it like this."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(_whole)]
_Text = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
Identifier = Annotated[_Text, BeforeValidator(_digits, json_schema_input_type=_Text | int)]
