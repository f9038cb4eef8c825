"""Events of every kind -> the one question, and an answer -> the form its caller takes."""

import base64
import json

import pytest
from answers import Answer, NotAnsweredError
from events import MAX_BODY_BYTES, Caller, method_of, question_of, reply_to
from hypothesis import given
from hypothesis import strategies as st
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
QUESTION = {"user_id": "Ä1", "top_k": 3, "history": HISTORY}
TEXT = json.dumps(QUESTION)


@pytest.mark.parametrize(
    ("event", "caller"),
    [
        (QUESTION, Caller.DIRECT),
        (rest(TEXT), Caller.REST),
        (rest(base64_of(TEXT), is_base64=True), Caller.REST),
        (http(TEXT), Caller.HTTP),
        (http(base64_of(TEXT), is_base64=True), Caller.HTTP),
        (http(json.dumps(QUESTION, ensure_ascii=False)), Caller.HTTP),
    ],
)
def test_every_kind_of_event_gives_the_same_question(event: object, caller: Caller) -> None:
    assert Caller.of(event) is caller
    assert method_of(event, caller) == "POST"
    assert json.loads(question_of(event, caller)) == QUESTION


@pytest.mark.parametrize(
    ("body", "status", "field", "said"),
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
        ('{"user_id": "a", "top_k": NaN}', 400, "", "NaN and Infinity are no JSON"),
        ('{"user_id": "a", "top_k": 1e999}', 400, "", "NaN and Infinity are no JSON"),
        ('{"user_id": "a", "top_k": ' + "9" * 5_000 + "}", 400, "", "expected a JSON object"),
        ('{"instances": [{"user_id": "a"}]}', 400, "instances", "instances: expected one request"),
        ('{"user_id": "' + "a" * MAX_BODY_BYTES + '"}', 413, "", "at most 4000000 bytes"),
    ],
)
def test_what_is_no_question_is_refused_before_it_costs_a_call(
    body: str | None, status: int, field: str, said: str
) -> None:
    for event in (rest(body), http(body), http(base64_of(body or ""), is_base64=True)):
        with pytest.raises(NotAnsweredError, match=said) as refused:
            question_of(event, Caller.of(event))
        assert (refused.value.status, refused.value.field) == (status, field)


@pytest.mark.parametrize("body", ["not base64!", "YWJ", "é"])
def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_refused(body: str) -> None:
    with pytest.raises(NotAnsweredError, match="base64"):
        question_of(http(body, is_base64=True), Caller.HTTP)


def question_or_status(event: object) -> bytes | int:
    try:
        return question_of(event, Caller.of(event))
    except NotAnsweredError as error:
        return error.status


@given(JSON)
def test_whatever_a_direct_call_holds_becomes_a_question_of_ascii_json_or_a_refusal(event: object) -> None:
    question = question_or_status(event)
    if isinstance(question, bytes):
        assert question.isascii()
        assert json.loads(question) == event
    else:
        assert question == 400


@given(st.text(), st.booleans())
def test_whatever_text_a_body_is_it_becomes_a_question_or_a_refusal(body: str, is_base64: bool) -> None:
    for event in (rest(body, is_base64), http(body, is_base64)):
        question = question_or_status(event)
        assert json.loads(question)["user_id"] if isinstance(question, bytes) else question == 400


def test_a_gateway_gets_a_response_and_a_direct_call_the_answer_itself() -> None:
    good, busy = Answer(200, '{"items": []}'), NotAnsweredError(429, "too many", retry_after=3).answer
    assert reply_to(Caller.DIRECT, good, "r", None) == {"items": []}
    assert reply_to(Caller.DIRECT, busy, "r", None) == {"error": "too many", "field": "", "status": 429}
    for caller in (Caller.REST, Caller.HTTP):
        response = reply_to(caller, busy, "r", None)
        assert response["statusCode"] == 429
        assert response["headers"]["Retry-After"] == "3"
        assert response["headers"]["X-Request-Id"] == "r"
        assert json.loads(response["body"]) == {"error": "too many", "field": ""}
        assert not [name for name in response["headers"] if name.startswith("Access-Control")]
        assert "Retry-After" not in reply_to(caller, good, "r", None)["headers"]


def test_the_origin_that_may_read_answers_is_named_in_each_of_them() -> None:
    headers = reply_to(Caller.REST, Answer(200, "{}"), "r", "https://shop.example")["headers"]
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["Vary"] == "Origin"
