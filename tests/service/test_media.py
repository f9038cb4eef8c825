"""Media types of requests and responses, returned headers, batch transforms and the log of requests."""

import csv
import gzip
import json
import logging
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.job import Job
from werkzeug.test import TestResponse

from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import MediaType, ServerSettings
from recommender.service.app import create_app

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"


@pytest.fixture(scope="module")
def user_id(trained: Job) -> str:
    return str(trained.ratings()["user_id"].iloc[0])


@pytest.fixture
def batch(recommender: Recommender) -> FlaskClient:
    return create_app(recommender, ServerSettings(is_batch=True)).test_client()


def ask(client: FlaskClient, body: str | bytes, content_type: str, accept: str = "", **headers: str) -> TestResponse:
    given = {"Content-Type": content_type, **({"Accept": accept} if accept else {}), **headers}
    return client.post("/invocations", data=body, headers=given)


def lines_of(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    assert response.text.endswith("\n")
    return response.text[:-1].split("\n")


def answer_of(client: FlaskClient, question: dict[str, Any]) -> dict[str, Any]:
    return dict(ask(client, json.dumps(question), JSON).get_json())


@pytest.mark.parametrize("content_type", [LINES, "application/x-ndjson", "Application/X-JSONLines; charset=UTF-8"])
def test_json_lines_get_one_response_per_line(client: FlaskClient, user_id: str, content_type: str) -> None:
    questions: list[dict[str, Any]] = [{"user_id": user_id}, {"user_id": "new"}, {"user_id": user_id, "top_k": 2}]
    response = ask(client, "\r\n".join(map(json.dumps, questions)) + "\n", content_type)
    assert response.mimetype == LINES
    assert [json.loads(line) for line in lines_of(response)] == [answer_of(client, question) for question in questions]


def test_a_csv_response_has_user_source_and_items(client: FlaskClient, user_id: str) -> None:
    response = ask(client, f'{user_id}\n"new, ""quoted"""\n', CSV + "; charset=utf-8")
    assert response.mimetype == CSV
    known, new = csv.reader(lines_of(response))
    assert known == [user_id, "model", *answer_of(client, {"user_id": user_id})["recommended_items"]]
    assert new[:2] == ['new, "quoted"', "popular"]
    assert len(new) == 7


@pytest.mark.parametrize(
    ("content_type", "accept", "answered"),
    [
        (JSON, "", JSON),
        (LINES, "*/*", LINES),
        (CSV, "*/*;q=0.1", CSV),
        (CSV, JSON, JSON),
        (LINES, "text/csv;q=0.5, application/json;q=0.9", JSON),
        (JSON, CSV, CSV),
        (JSON, "text/html, text/*;q=0.2", CSV),
        (JSON, "application/x-ndjson", "application/x-ndjson"),
        (CSV, "application/*", JSON),
    ],
)
def test_accept_decides_the_media_type_of_the_response(
    client: FlaskClient, user_id: str, content_type: str, accept: str, answered: str
) -> None:
    bodies = {JSON: json.dumps({"user_id": user_id}), LINES: json.dumps({"user_id": user_id}), CSV: user_id}
    response = ask(client, bodies[content_type], content_type, accept)
    assert (response.status_code, response.mimetype) == (200, answered)
    expected = answer_of(client, {"user_id": user_id})
    if answered == CSV:
        assert response.text == ",".join([user_id, "model", *expected["recommended_items"]]) + "\n"
    else:
        value = json.loads(response.text)
        assert value == (expected if content_type == JSON or answered != JSON else {"predictions": [expected]})


def test_an_environment_variable_sets_the_default_media_type(recommender: Recommender) -> None:
    client = create_app(recommender, ServerSettings(accept=MediaType.CSV)).test_client()
    assert ask(client, '{"user_id": "u"}', JSON).mimetype == CSV
    assert ask(client, '{"user_id": "u"}', JSON, JSON).mimetype == JSON


def test_errors_are_json_whatever_accept_says(client: FlaskClient) -> None:
    response = ask(client, "{}", JSON, CSV)
    assert (response.status_code, response.mimetype) == (400, JSON)
    assert response.get_json()["field"] == "user_id"


BAD_LINES = [
    "",
    " ",
    "{",
    "[]",
    '{"user_id": 5.5}',
    '{"user_id": "u", "top_k": 0}',
    "\ufeff{}",
    '{"user_id": "\\ud800"}',
]


@pytest.mark.parametrize("accept", [LINES, CSV, JSON])
def test_an_invalid_line_gets_an_error_in_its_place(client: FlaskClient, user_id: str, accept: str) -> None:
    good = json.dumps({"user_id": user_id})
    body = "\n".join([good, *BAD_LINES, good]) + "\n"
    response = ask(client, body, LINES, accept)
    if accept == CSV:
        rows = list(csv.reader(lines_of(response)))
        assert [row[:2] for row in rows[1:-1]] == [["", "error"]] * len(BAD_LINES)
        assert rows[0] == rows[-1]
        return
    answers = response.get_json()["predictions"] if accept == JSON else list(map(json.loads, lines_of(response)))
    assert len(answers) == len(BAD_LINES) + 2
    assert answers[0] == answers[-1] == answer_of(client, {"user_id": user_id})
    assert all("error" in answer for answer in answers[1:-1])


@pytest.mark.parametrize("line", ["", "user_id", "a,b", '"open', '1"', 'a"b', "\xff".encode("latin-1")])
def test_the_error_for_an_invalid_csv_line_says_what_was_expected(client: FlaskClient, line: str | bytes) -> None:
    line = line.encode() if isinstance(line, str) else line
    (row,) = csv.reader(lines_of(ask(client, line + b"\n", CSV)))
    assert row[:2] == ["", "error"]
    assert "expected" in row[2]


def test_an_id_with_a_line_break_is_an_error_in_csv(client: FlaskClient) -> None:
    record = {"user_id": "a\nb"}
    (row,) = csv.reader(lines_of(ask(client, json.dumps(record), JSON, CSV)))
    assert row[:2] == ["", "error"]
    assert row[2] == r"expected IDs without line breaks in CSV, got 'a\nb': accept application/json"
    assert ask(client, json.dumps(record), JSON).get_json()["user_id"] == "a\nb"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    content_type=st.sampled_from([JSON, LINES, CSV]),
    accept=st.sampled_from(["", JSON, LINES, CSV]),
)
def test_any_body_gets_responses_or_a_400_and_the_number_of_lines_is_kept(
    client: FlaskClient, body: bytes, content_type: str, accept: str
) -> None:
    response = ask(client, body, content_type, accept)
    assert response.status_code in (200, 400)
    if response.status_code == 200 and content_type != JSON and response.mimetype != JSON:
        text = body.removeprefix(b"\xef\xbb\xbf")
        assert response.get_data().count(b"\n") == text.count(b"\n") + (text[-1:] not in (b"", b"\n"))


@pytest.mark.parametrize("content_type", [LINES, CSV])
def test_a_real_time_request_has_a_maximum_number_of_records(client: FlaskClient, content_type: str) -> None:
    response = ask(client, '{"user_id": "u"}\n' * (LIMITS.max_instances + 1), content_type)
    assert response.status_code == 400
    assert "at most 1000 records, got 1001" in response.get_json()["error"]


def test_a_batch_of_10_000_lines_with_an_invalid_one_keeps_number_and_order(batch: FlaskClient, user_id: str) -> None:
    lines = [json.dumps({"user_id": f"new-{number}", "top_k": 1}) for number in range(10_000)]
    lines[7_777] = '{"user_id": "broken'
    response = ask(batch, "\n".join(lines), LINES)
    answers = [json.loads(line) for line in response.text.split("\n")]
    assert len(answers) == 10_000
    assert answers[7_777]["error"].startswith("expected a JSON body")
    assert [answer.get("user_id") for answer in answers] == [
        None if number == 7_777 else f"new-{number}" for number in range(10_000)
    ]


def test_a_bug_in_one_record_is_an_error_in_its_place(trained: Job, caplog: pytest.LogCaptureFixture) -> None:
    broken = Recommender.load(trained.container.model_dir)
    object.__setattr__(broken.model.histories, "item_num", np.full(10**6, 10**6, np.int32))
    client = create_app(broken).test_client()
    lines = [json.dumps({"user_id": user}) for user in ("new", broken.model.users.id(0), "new")]
    first, second, third = map(json.loads, lines_of(ask(client, "\n".join(lines), LINES)))
    assert first == third
    assert second == {"error": "internal error; the server's log has the details", "field": ""}
    assert any(record.exc_info for record in caplog.records)


def test_execution_parameters_match_the_settings_of_the_server(recommender: Recommender) -> None:
    client = create_app(recommender, ServerSettings(workers=3, max_body_bytes=20 * 2**20)).test_client()
    response = client.get("/execution-parameters")
    assert (response.status_code, response.mimetype) == (200, JSON)
    assert response.get_json() == {"MaxConcurrentTransforms": 3, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 20}


def test_a_batch_response_leaves_the_last_line_break_to_sagemaker(batch: FlaskClient) -> None:
    """Check the end of the response: with AssembleWith Line, SageMaker adds a line break to each response."""
    for body, media_type in (
        ('{"user_id": "a"}\n', LINES),
        ('{"user_id": "a"}\n{"user_id": "b"}', LINES),
        ("a\nb\n", CSV),
    ):
        response = ask(batch, body, media_type)
        assert response.status_code == 200
        assert not response.text.endswith("\n")
        assert response.text.count("\n") == body.removesuffix("\n").count("\n")


@pytest.mark.parametrize(
    "accept",
    ["application/json; charset=utf-8", 'application/json;charset="UTF-8"', "text/html, application/json;q=0.5;v=1"],
)
def test_accept_ignores_parameters_of_media_types(client: FlaskClient, accept: str) -> None:
    response = ask(client, '{"user_id": "u"}', JSON, accept)
    assert (response.status_code, response.mimetype) == (200, JSON)


def test_an_accept_in_another_charset_is_a_406(client: FlaskClient) -> None:
    assert ask(client, '{"user_id": "u"}', JSON, "application/json; charset=latin-1").status_code == 406


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
@pytest.mark.parametrize("media_type", [JSON, LINES, CSV])
def test_a_compressed_body_is_a_415_that_names_content_encoding(
    client: FlaskClient, media_type: str, encoding: str
) -> None:
    response = ask(client, gzip.compress(b"u"), media_type, **{"Content-Encoding": encoding})
    assert response.status_code == 415
    assert response.get_json()["error"] == f"Content-Encoding: expected none or identity, got {encoding!r}"


def test_json_lines_sent_as_json_get_the_hint(client: FlaskClient) -> None:
    response = ask(client, '{"user_id": "u"}\n{"user_id": "v"}\n', JSON)
    assert response.status_code == 400
    assert "application/jsonlines" in response.get_json()["error"]


@pytest.mark.parametrize(("body", "media_type"), [('{"user_id": "u"}', JSON), ('{"user_id": "u"}', LINES), ("u", CSV)])
def test_a_byte_order_mark_is_accepted_in_every_media_type(client: FlaskClient, body: str, media_type: str) -> None:
    response = ask(client, b"\xef\xbb\xbf" + body.encode(), media_type, JSON)
    assert (response.get_json().get("predictions") or [response.get_json()])[0]["user_id"] == "u"


@pytest.mark.parametrize("number", [0, 7, -3, 10**30])
def test_an_integer_id_becomes_its_digits_as_in_the_channels(client: FlaskClient, number: int) -> None:
    assert answer_of(client, {"user_id": number}) == answer_of(client, {"user_id": str(number)})
    histories = [[{"item_id": number}], [{"item_id": str(number)}]]
    first, second = (answer_of(client, {"user_id": "new", "history": history}) for history in histories)
    assert first == second


def test_a_response_above_the_maximum_size_is_a_400_with_advice(recommender: Recommender) -> None:
    small = create_app(recommender, ServerSettings(max_body_bytes=2_000)).test_client()
    for body, media_type in (
        (json.dumps({"user_id": "u", "top_k": 50}), JSON),
        (json.dumps({"instances": [{"user_id": "u"}] * 20}), JSON),
        ('{"user_id": "u"}\n' * 20, LINES),
    ):
        response = ask(small, body, media_type)
        assert response.status_code == 400
        assert response.get_json()["error"].startswith("response: more than 2000 bytes: send fewer records")


def test_a_batch_response_is_streamed(batch: FlaskClient) -> None:
    """Check that a record is parsed only after the client has read the response before it."""
    response = ask(batch, '{"user_id": "u"}\n' * 10_000, LINES)
    pieces = response.iter_encoded()
    assert json.loads(next(iter(pieces)))["user_id"] == "u"
    assert response.content_length is None


@pytest.mark.parametrize(
    ("given_value", "echoed"), [("c000b4f9-df62=1, x", True), ("x" * 1_024, True), ("x" * 1_025, False)]
)
def test_custom_attributes_are_returned(client: FlaskClient, given_value: str, echoed: bool) -> None:
    for body, status in (('{"user_id": "u"}', 200), ("{}", 400)):
        response = ask(client, body, JSON, **{"X-Amzn-SageMaker-Custom-Attributes": given_value})
        assert response.status_code == status
        assert response.headers.get("X-Amzn-SageMaker-Custom-Attributes") == (given_value if echoed else None)


def test_unknown_headers_are_ignored(client: FlaskClient) -> None:
    headers = {"X-Amzn-SageMaker-Target-Model": "x", "X-Amzn-SageMaker-Session-Id": "NEW_SESSION", "X-Other": "1"}
    response = ask(client, '{"user_id": "u"}', JSON, **headers)
    assert response.status_code == 200
    assert not [name for name, _ in response.headers if name.startswith("X-")]


def test_each_request_writes_one_log_line_without_ratings(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, user_id: str
) -> None:
    caplog.set_level(logging.INFO, "recommender.requests")
    question = {"user_id": user_id, "history": [{"item_id": "secret", "rating": 5}]}
    ask(client, json.dumps(question), JSON, **{"X-Amzn-SageMaker-Inference-Id": "i-1"}).close()
    ask(client, "a\nb\n", CSV).close()
    ask(client, "{", JSON).close()
    client.get("/ping").close()
    first, second, third = (json.loads(record.getMessage()) for record in caplog.records)
    assert first.pop("ms") >= 0
    assert first == {
        "method": "POST", "path": "/invocations", "status": 200, "records": 1, "user_id": user_id, "inference_id": "i-1"
    }  # fmt: skip
    assert (second["records"], "user_id" in second) == (2, False)
    assert (third["status"], "records" in third) == (400, False)
    assert "secret" not in caplog.text


def test_pings_are_logged_only_at_debug_level(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "recommender.requests")
    client.get("/ping").close()
    assert json.loads(caplog.records[0].getMessage())["path"] == "/ping"
