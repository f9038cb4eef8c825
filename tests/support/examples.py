"""The requests of docs/api, changed for a trained model: it must know the user and the item in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from support.job import ROOT

from recommender.pipeline.recommender import Recommender

USER, ITEM = "AHV6QCNBJNSGLATP56JAWJ3C4G2A", "B07EXAMPLE"
TEXT = (ROOT / "docs" / "api" / "requests.http").read_text(encoding="utf-8")
VARIABLES = dict(re.findall(r"^@(\w+) = (.+)$", TEXT, re.MULTILINE))
CONTAINER, LOCAL_API, DEPLOYED = re.split(r"\n### -{9,}\n", TEXT)


def names_of(recommender: Recommender) -> dict[str, str]:
    """Map the examples' user to a user of the model, and their item to an item that is new to that user."""
    model = recommender.model
    seen = model.histories.of(0)[0].tolist()
    new = next(number for number in range(len(model.items)) if number not in seen)
    return {USER: model.users.id(0), ITEM: model.items.id(new)}


def renamed(text: str, names: Mapping[str, str]) -> str:
    for example, real in names.items():
        text = text.replace(example, real)
    return text


@dataclass(frozen=True)
class HttpRequest:
    """A request of the HTTP file, with the expected response from its comment: a status, and sometimes the source."""

    expected: list[str]
    method: str
    url: str
    headers: dict[str, str]
    body: str

    def path(self, server: str) -> str:
        """Return the path, which follows the variable for the server."""
        assert self.url.startswith(f"{{{{{server}}}}}/")
        return self.url.partition("}}")[2]

    def filled_body(self, names: Mapping[str, str]) -> bytes | None:
        """Return the body with the values of its variables and these names; None if it is empty."""
        text = re.sub(r"\{\{(\w+)\}\}", lambda found: VARIABLES[found[1]], self.body)
        return renamed(text, names).encode() or None


def http_requests(section: str) -> list[Any]:
    """Return the requests of a section of the file, as parameters of a test."""
    blocks = (block.partition("\n") for block in re.split(r"^### ", section, flags=re.MULTILINE)[1:])
    return [pytest.param(_parsed(request), id=title) for title, _, request in blocks]


def _parsed(text: str) -> HttpRequest:
    head, _, body = text.strip().partition("\n\n")
    lines = head.splitlines()
    expected = [word for line in lines if line.startswith("# ") for word in line.split()[1:]]
    first, *headers = [line for line in lines if not line.startswith("#")]
    method, url = first.split()
    return HttpRequest(expected, method, url, dict(header.split(": ", 1) for header in headers), body)
