"""Events of every type -> the request; a response -> the format of the sender."""

import base64
import json

import pytest
from events import MAX_BODY_BYTES, Caller, method_of, request_of, response_to
from hypothesis import given
from hypothesis import strategies as st
from response import RequestFailedError, Response
from support.invocations import http, rest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


HISTORY = [{"item_id": "B1"}, {"item_id": "B2", "rating": 4.5, "timestamp": "2018-09-20"},
           {"item_id": "B3", "rating": None, "timestamp": 1_537_401_600}]  # fmt: skip
REQUEST = {"user_id": "Ä1", "top_k": 3, "history": HISTORY}
TEXT = json.dumps(REQUEST)


@pytest.mark.parametrize(
    ("event", "caller"),
    [
        (REQUEST, Caller.DIRECT),
        (rest(TEXT), Caller.REST),
        (rest(base64_of(TEXT), is_base64=True), Caller.REST),
        (http(TEXT), Caller.HTTP),
        (http(base64_of(TEXT), is_base64=True), Caller.HTTP),
        (http(json.dumps(REQUEST, ensure_ascii=False)), Caller.HTTP),
    ],
)
def test_every_type_of_event_gives_the_same_request(event: object, caller: Caller) -> None:
    assert Caller.of(event) is caller
    assert method_of(event, caller) == "POST"
    assert json.loads(request_of(event, caller)) == REQUEST


@pytest.mark.parametrize(
    ("body", "status", "field", "message"),
    [
        (None, 400, "", "expected a JSON object"),
        ("", 400, "", "expected a JSON object"),
        ("{", 400, "", "expected a JSON object"),
        ("[" * 100_000, 400, "", "expected a JSON object"),
        ('{"user_id": ' + "[" * 50_000 + "]" * 50_000 + "}", 400, "", "expected a JSON object"),
        ('["a"]', 400, "", "expected a JSON object"),
        ("{}", 400, "user_id", "user_id: is missing"),
        ('{"user_id": 7.5}', 400, "user_id", "user_id: expected a text"),
        ('{"user_id": ""}', 400, "user_id", "user_id: expected a text"),
        ('{"user_id": null}', 400, "user_id", "user_id: expected a text"),
        ('{"user_id": "a", "top_k": NaN}', 400, "", "JSON has no NaN and no Infinity"),
        ('{"user_id": "a", "top_k": 1e999}', 400, "", "JSON has no NaN and no Infinity"),
        ('{"user_id": "a", "top_k": ' + "9" * 5_000 + "}", 400, "", "expected a JSON object"),
        ('{"instances": [{"user_id": "a"}]}', 400, "instances", "instances: expected one request"),
        ('{"user_id": "' + "a" * MAX_BODY_BYTES + '"}', 413, "", "at most 4000000 bytes"),
    ],
)
def test_an_invalid_request_is_refused_without_a_call_of_the_endpoint(
    body: str | None, status: int, field: str, message: str
) -> None:
    for event in (rest(body), http(body), http(base64_of(body or ""), is_base64=True)):
        with pytest.raises(RequestFailedError, match=message) as refused:
            request_of(event, Caller.of(event))
        assert (refused.value.status, refused.value.field) == (status, field)


@pytest.mark.parametrize("body", ["not base64!", "YWJ", "é"])
def test_a_body_with_invalid_base64_is_refused(body: str) -> None:
    with pytest.raises(RequestFailedError, match="base64"):
        request_of(http(body, is_base64=True), Caller.HTTP)


def request_or_status(event: object) -> bytes | int:
    try:
        return request_of(event, Caller.of(event))
    except RequestFailedError as error:
        return error.status


@given(JSON)
def test_any_direct_call_becomes_ascii_json_or_an_error(event: object) -> None:
    request = request_or_status(event)
    if isinstance(request, bytes):
        assert request.isascii()
        assert json.loads(request) == event
    else:
        assert request == 400


@given(st.text(), st.booleans())
def test_any_body_becomes_a_request_or_an_error(body: str, is_base64: bool) -> None:
    for event in (rest(body, is_base64), http(body, is_base64)):
        request = request_or_status(event)
        assert json.loads(request)["user_id"] if isinstance(request, bytes) else request == 400


def test_a_gateway_gets_a_proxy_response_and_a_direct_call_the_plain_response() -> None:
    good, busy = Response(200, '{"items": []}'), RequestFailedError(429, "too many", retry_after=3).response
    assert response_to(Caller.DIRECT, good, "r", None) == {"items": []}
    assert response_to(Caller.DIRECT, busy, "r", None) == {"error": "too many", "field": "", "status": 429}
    for caller in (Caller.REST, Caller.HTTP):
        response = response_to(caller, busy, "r", None)
        assert response["statusCode"] == 429
        assert response["headers"]["Retry-After"] == "3"
        assert response["headers"]["X-Request-Id"] == "r"
        assert json.loads(response["body"]) == {"error": "too many", "field": ""}
        assert not [name for name in response["headers"] if name.startswith("Access-Control")]
        assert "Retry-After" not in response_to(caller, good, "r", None)["headers"]


def test_each_response_names_the_cors_origin() -> None:
    headers = response_to(Caller.REST, Response(200, "{}"), "r", "https://shop.example")["headers"]
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["Vary"] == "Origin"
