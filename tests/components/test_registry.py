"""The registry: the allowed content of a folder, and the errors for other content."""

from typing import Any

import pytest

from recommender.candidates import SOURCES
from recommender.candidates.base import Source
from recommender.candidates.popularity import Popularity
from recommender.components.registry import merged
from recommender.ranking.features import FEATURES


def renamed(name: str, **members: Any) -> Any:  # noqa: ANN401 - a source of that name
    return type("Renamed", (Popularity,), {"name": name, "__module__": "of_a_test", **members})


def test_two_components_with_one_name_are_refused_with_both_modules() -> None:
    with pytest.raises(TypeError, match=r"of_a_test: the name 'title_similarity' is taken by recommender\.ranking\."):
        merged(SOURCES, FEATURES, {"x": renamed("title_similarity")})


@pytest.mark.parametrize("name", ["final", "candidates", "test"])
def test_names_of_other_orders_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match="of_a_test: expected another name than final, candidates, test"):
        merged({"x": renamed(name)})


@pytest.mark.parametrize("name", ["", "Item-Age", "9lives"])
def test_a_name_is_lower_case_letters_digits_and_underscores(name: str) -> None:
    with pytest.raises(TypeError, match="of_a_test: expected a name such as item_age"):
        merged({"x": renamed(name)})


def test_a_component_without_a_required_method_is_refused_by_name() -> None:
    half = type("Half", (Source,), {"name": "half", "__module__": "of_a_test"})
    with pytest.raises(TypeError, match="of_a_test: Half lacks fit, load, save, top"):
        merged({"x": half})
