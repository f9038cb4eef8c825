"""New users with a few events in the request, on synthetic data with planted styles."""

from itertools import combinations
from typing import Any

import pytest
from flask.testing import FlaskClient

from recommender.pipeline.recommender import Recommender
from recommender.synthetic.vocabulary import STYLES

(EYEWEAR,) = (style.garments for style in STYLES if "Aviator Sunglasses" in style.garments)


def is_eyewear(title: str | None) -> bool:
    return any(garment in (title or "") for garment in EYEWEAR)


@pytest.fixture(scope="module")
def sunglasses(recommender: Recommender) -> list[str]:
    items, titles = recommender.model.items, recommender.model.titles
    found = [items.id(number) for number in range(len(items)) if "Sunglasses" in titles.text(number)]
    assert 5 <= len(found) < len(items) / 20
    return found


@pytest.mark.parametrize("event", [{"rating": 5}, {}, {"rating": 5, "timestamp": "2023-01-01"}])
def test_a_new_user_with_three_sunglasses_gets_eyewear(
    client: FlaskClient, sunglasses: list[str], event: dict[str, Any]
) -> None:
    """Check that for any three sunglasses at least four of the five recommended titles are eyewear."""
    triples = list(combinations(sunglasses, 3))
    instances = [
        {"user_id": "new", "history": [{"item_id": item_id, **event} for item_id in triple]} for triple in triples
    ]
    answers = client.post("/invocations", json={"instances": instances}).get_json()["predictions"]
    assert len(answers) == len(triples)
    for triple, answer in zip(triples, answers, strict=True):
        assert answer["source"] == "fold_in"
        titles = [item["title"] for item in answer["items"]]
        assert sum(map(is_eyewear, titles)) >= 4, titles
        assert not set(answer["recommended_items"]) & set(triple)
        for item in answer["items"]:
            reasons = [item_id for because in item["because"] for item_id in because["item_ids"]]
            assert reasons
            assert set(reasons) <= set(triple)
