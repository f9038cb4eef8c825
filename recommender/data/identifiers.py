"""The type of an ID in a request."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from recommender.data.vocabulary import MAX_ID_CHARACTERS


def _digits(value: object) -> object:
    """Return an integer as its digits, like the IDs of the channels."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Text = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
Identifier = Annotated[_Text, BeforeValidator(_digits, json_schema_input_type=_Text | int)]
