"""The HTTP contract: responses and errors; no input gets a 500 or a stack trace."""

import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.job import Job

from recommender.common.messages import MAX_SHOWN
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.server_environment import ServerSettings
from recommender.service.app import create_app

MAX_BODY_BYTES = ServerSettings().max_body_bytes


def post(client: FlaskClient, value: object) -> tuple[int, Any]:
    response = client.post("/invocations", data=json.dumps(value), content_type="application/json")
    assert response.mimetype == "application/json"
    return response.status_code, response.get_json()


def post_bytes(client: FlaskClient, body: bytes, **headers: str) -> tuple[int, Any]:
    response = client.post("/invocations", data=body, headers={"Content-Type": "application/json"} | headers)
    return response.status_code, response.get_json()


@pytest.fixture(scope="module")
def user_id(trained: Job) -> str:
    return str(trained.ratings()["user_id"].iloc[0])


@pytest.fixture(scope="module")
def item_id(trained: Job) -> str:
    return str(trained.ratings()["item_id"].iloc[0])


def test_ping_is_200(client: FlaskClient) -> None:
    assert client.get("/ping").status_code == 200


def test_a_response_has_ids_items_and_its_source(client: FlaskClient, user_id: str) -> None:
    status, answer = post(client, {"user_id": user_id})
    assert status == 200
    assert list(answer) == ["user_id", "recommended_items", "items", "source"]
    assert (answer["user_id"], answer["source"]) == (user_id, "model")
    assert answer["recommended_items"] == [item["item_id"] for item in answer["items"]]
    assert len(set(answer["recommended_items"])) == 5
    for item in answer["items"]:
        names = ["item_id", "title", "score", "predicted_rating", "similarity", "sources", "because", "rule"]
        assert list(item) == names
        assert item["sources"]
        assert item["because"]
        shares = [because["share"] for because in item["because"]]
        assert shares == sorted(shares, reverse=True)
        for because in item["because"]:
            assert list(because) == ["source", "share", "item_ids", "words", "text"]
            assert because["item_ids"] or because["text"]


def test_a_new_user_with_a_history_is_folded_in(client: FlaskClient, item_id: str) -> None:
    status, answer = post(client, {"user_id": "new", "history": [{"item_id": item_id, "rating": 5}]})
    assert (status, answer["source"]) == (200, "fold_in")
    assert item_id not in answer["recommended_items"]


def test_reasons_name_the_only_event_of_a_new_user(client: FlaskClient, item_id: str) -> None:
    for event in ({"item_id": item_id}, {"item_id": item_id, "rating": 5, "timestamp": "2018-09-20"}):
        _, answer = post(client, {"user_id": "new", "history": [event]})
        reasons = [because["item_ids"] for item in answer["items"] for because in item["because"]]
        assert [item_id] in reasons
        assert all(item_ids in ([item_id], []) for item_ids in reasons)


@pytest.mark.parametrize("event", [{}, {"rating": None}, {"timestamp": None}, {"rating": None, "timestamp": None}])
def test_an_event_needs_no_rating(client: FlaskClient, item_id: str, event: dict[str, None]) -> None:
    status, answer = post(client, {"user_id": "new", "history": [{"item_id": item_id, **event}]})
    assert (status, answer["source"], len(answer["items"])) == (200, "fold_in", 5)
    assert item_id not in answer["recommended_items"]
    assert answer == post(client, {"user_id": "new", "history": [{"item_id": item_id}]})[1]


def test_a_timestamp_may_be_a_text_or_a_number_in_any_unit(client: FlaskClient, trained: Job) -> None:
    items = trained.ratings()["item_id"].unique()[:3].tolist()

    def answer(*times: object) -> object:
        history = [{"item_id": item, "timestamp": time} for item, time in zip(items, times, strict=True)]
        status, found = post(client, {"user_id": "new", "history": history})
        assert status == 200
        return found

    expected = answer("2020-01-03", "2020-01-01T00:00:00Z", "2020-01-02 02:00+02:00")
    for unit in (1, 1_000, 1_000_000, 1.0):
        assert answer(1_578_009_600 * unit, 1_577_836_800 * unit, 1_577_923_200 * unit) == expected


@pytest.mark.parametrize("history", [[], [{"item_id": "no such item", "rating": 5}]])
def test_an_unknown_user_is_no_error(client: FlaskClient, history: list[object]) -> None:
    status, answer = post(client, {"user_id": "new", "history": history})
    assert (status, answer["source"], len(answer["items"])) == (200, "popular", 5)


def test_the_options_of_a_request_take_effect(client: FlaskClient, recommender: Recommender, user_id: str) -> None:
    assert len(post(client, {"user_id": user_id, "top_k": 7})[1]["items"]) == 7
    assert len(post(client, {"user_id": user_id, "top_k": 150})[1]["items"]) == 150  # more than the 100 candidates
    assert len(post(client, {"user_id": user_id, "top_k": 3, "num_candidates": 3})[1]["items"]) == 3
    model = recommender.model
    history = {model.items.id(int(number)) for number in model.histories.of(model.users.number(user_id) or 0)[0]}
    everything = post(client, {"user_id": user_id, "top_k": 1000, "exclude_seen": False})[1]["recommended_items"]
    unseen = post(client, {"user_id": user_id, "top_k": 1000})[1]["recommended_items"]
    assert set(everything) - set(unseen) == history


def test_each_instance_gets_a_response_or_an_error_in_its_place(client: FlaskClient, user_id: str) -> None:
    entries = [{"user_id": user_id}, {"user": "x"}, 7, {"user_id": "new"}, {"user_id": user_id, "top_k": 0}]
    status, answer = post(client, {"instances": entries})
    assert status == 200
    known, wrong, number, new, zero = answer["predictions"]
    assert known == post(client, {"user_id": user_id})[1]
    assert new["source"] == "popular"
    assert [entry["field"] for entry in (wrong, number, zero)] == ["user_id", "", "top_k"]
    assert all("expected" in entry["error"] or "required" in entry["error"] for entry in (wrong, number, zero))


def test_no_instances_are_no_predictions(client: FlaskClient) -> None:
    assert post(client, {"instances": []}) == (200, {"predictions": []})


EVENT = {"item_id": "a", "rating": 5}


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ({}, "user_id", "required"),
        ({"user_id": 5.5}, "user_id", "expected a valid string, got 5.5"),
        ({"user_id": True}, "user_id", "expected a valid string, got true"),
        ({"user_id": "u" * 1_001}, "user_id", "expected at most 1000 characters, got 1001"),
        ({"user_id": ""}, "user_id", "a text that is not empty, got ''"),
        ({"user_id": None}, "user_id", "got null"),
        ({"user_id": "u", "top_k": 0}, "top_k", "greater than or equal to 1, got 0"),
        ({"user_id": "u", "top_k": LIMITS.max_top_k + 1}, "top_k", "less than or equal to 1000"),
        ({"user_id": "u", "top_k": "5"}, "top_k", "valid integer, got '5'"),
        ({"user_id": "u", "top_k": 5.5}, "top_k", "valid integer"),
        ({"user_id": "u", "top_k": 1e300}, "top_k", "less than or equal to 1000"),
        ({"user_id": "u", "top_k": True}, "top_k", "valid integer"),
        ({"user_id": "u", "num_candidates": 10**30}, "num_candidates", "less than or equal to 10000"),
        ({"user_id": "u", "num_candidates": 3}, "num_candidates", "at least top_k, which is 5, got 3"),
        ({"user_id": "u", "exclude_seen": "no"}, "exclude_seen", "valid boolean, got 'no'"),
        ({"user_id": "u", "colour": "red"}, "colour", "unknown name; known here are allow, deny"),
        ({"userId": "u"}, "user_id", "is missing; it is required; found 'userId', which is unknown"),
        ([{"user_id": "u"}], "", "got a list of 1: send several records as"),
        ({"user_id": "u", "history": {}}, "history", "valid list"),
        ({"user_id": "u", "history": [EVENT, 5]}, "history[1]", "expected an object, got 5"),
        ({"user_id": "u", "history": [EVENT, {"rating": 5}]}, "history[1].item_id", "required"),
        ({"user_id": "u", "history": [{"item_id": "a", "rating": "5"}]}, "history[0].rating", "valid number"),
        ({"user_id": "u", "history": [{"item_id": "a", "rating": 6}]}, "history[0].rating", "from 1 to 5, got 6"),
        ({"user_id": "u", "history": [EVENT | {"rating": True}]}, "history[0].rating", "valid number, got true"),
        ({"user_id": "u", "history": [EVENT, EVENT | {"rating": []}]}, "history[1].rating", "got a list of 0"),
        *(
            ({"user_id": "u", "history": [EVENT] * 3 + [EVENT | {"timestamp": time}]}, "history[3].timestamp", expected)
            for time, expected in (
                (True, "to 1e+19, or an ISO 8601 date or date-time of at most 40 characters, got true"),
                ([], "expected a number from -1e+19 to 1e+19, or an ISO 8601 date"),
                ({}, "got an object"),
                (1.1e19, "expected a number from -1e+19 to 1e+19"),
                (10**400, "expected a number from -1e+19 to 1e+19"),
                ("2018-09-20" + " " * 31, "of at most 40 characters, got '2018-09-20 "),
                ("", "expected a date or time such as 2018-09-20 or 2018-09-20T10:11:12Z, got ''"),
                ("yesterday", "got 'yesterday'"),
                ("2018-02-30", "such as 2018-09-20"),
                (17, "expected seconds or milliseconds since 1970, or an ISO 8601 date or date-time, got 17"),
                (-1.5, "got -1.5"),
            )
        ),
        ({"user_id": "u", "history": [EVENT | {"when": 1}]}, "history[0].when", "unknown name; known here are item_id"),
        ({"user_id": "u", "history": [EVENT] * (LIMITS.max_history + 1)}, "history", "at most 1000 entries, got 1001"),
        ([], "", "JSON object"),
        ("u", "", "JSON object"),
        (None, "", "JSON object"),
        ({"instances": {}}, "instances", "expected a list"),
        ({"instances": [{}] * (LIMITS.max_instances + 1)}, "instances", "at most 1000"),
        (
            {"instances": [{"user_id": "u", "num_candidates": 10_000}] * 51},
            "instances",
            "num_candidates of at most 500000 in all records",
        ),
        ({"instances": [], "top_k": 3}, "top_k", "no field next to 'instances'"),
    ],
)
def test_an_invalid_value_is_a_400_that_names_the_field(
    client: FlaskClient, value: object, field: str, expected: str
) -> None:
    status, answer = post(client, value)
    assert status == 400
    assert answer["field"] == field
    assert expected in answer["error"]
    assert answer["error"].startswith(field)


@pytest.mark.parametrize("name", ["\n<b>", "x" * 100_000, "\x1b[31m", "a\u2028b"])
@pytest.mark.parametrize("value", [{"user_id": "u"}, {"instances": []}, {"user_id": "u", "history": [EVENT]}])
def test_the_message_about_an_unknown_field_is_one_short_line(
    client: FlaskClient, value: dict[str, Any], name: str
) -> None:
    wrong = {**value, "history": [{**EVENT, name: 1}]} if "history" in value else {**value, name: 1}
    status, answer = post(client, wrong)
    assert status == 400
    assert answer["error"].startswith(answer["field"])
    assert len(answer["field"]) <= MAX_SHOWN
    assert answer["error"].isprintable()
    assert len(answer["error"]) < 300


@pytest.mark.parametrize(("top_k", "num_candidates"), [(7.0, 100), (7, 7.0), (7e0, 70e0)])
def test_a_whole_number_may_have_a_decimal_point(client: FlaskClient, top_k: float, num_candidates: float) -> None:
    status, answer = post(client, {"user_id": "u", "top_k": top_k, "num_candidates": num_candidates})
    assert (status, len(answer["items"])) == (200, 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"user_id=u",
        b"\xff\xfe",
        b'{"user_id": "u"} x',
        b'{"user_id": NaN}',
        b'{"user_id": "u", "history": [{"item_id": "a", "rating": Infinity}]}',
        b'{"user_id": "u", "history": [{"item_id": "a", "rating": 1e999}]}',
        b'{"user_id": "u", "history": [{"item_id": "a", "timestamp": NaN}]}',
        b'{"user_id": "u", "history": [{"item_id": "a", "timestamp": -1e999}]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"user_id": "\\ud800"}',
        b"9" * 100_000,
    ],
)
def test_a_body_that_is_not_json_is_a_400(client: FlaskClient, body: bytes) -> None:
    status, answer = post_bytes(client, body)
    assert status == 400
    assert len(answer["error"]) < 500
    assert "Traceback" not in answer["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
fields = st.sampled_from(["user_id", "history", "top_k", "num_candidates", "exclude_seen", "instances", "item_id"])
times = st.integers() | st.floats() | st.datetimes().map(str) | st.text(max_size=41) | st.none() | st.booleans()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(times, st.floats(0, 6) | st.none()), min_size=1, max_size=6))
def test_any_history_gets_items_or_an_error_with_its_field(
    client: FlaskClient, trained: Job, events: list[tuple[object, float | None]]
) -> None:
    items = trained.ratings()["item_id"].unique()
    history = [
        {"item_id": item, "timestamp": time, "rating": rating}
        for item, (time, rating) in zip(items, events, strict=False)
    ]
    status, answer = post(client, {"user_id": "u", "history": history})
    if status == 200:
        assert (answer["source"], len(answer["items"])) == ("fold_in", 5)
    else:
        assert status == 400
        assert answer["field"].startswith("history[") or "JSON" in answer["error"]  # JSON has no NaN
        assert "expected" in answer["error"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(fields, json_values) | json_values)
def test_any_json_gets_items_or_a_400(client: FlaskClient, value: object) -> None:
    status, answer = post(client, value)
    assert status in (200, 400)
    assert ("error" in answer) == (status == 400)


def test_a_too_large_body_is_a_413(client: FlaskClient) -> None:
    status, answer = post_bytes(client, b" " * (MAX_BODY_BYTES + 1))
    assert status == 413
    assert str(MAX_BODY_BYTES) in answer["error"]


def test_a_body_of_the_maximum_size_is_accepted(client: FlaskClient) -> None:
    body = b'{"user_id": "u"}'
    assert post_bytes(client, body + b" " * (MAX_BODY_BYTES - len(body)))[0] == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-npy", "", "application/json; charset=utf-16"])
def test_an_unknown_content_type_is_a_415(client: FlaskClient, media_type: str) -> None:
    status, answer = post_bytes(client, b'{"user_id": "u"}', **{"Content-Type": media_type})
    assert status == 415
    assert "application/json" in answer["error"]


def test_the_415_for_curls_default_content_type_says_which_option_to_add(client: FlaskClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = post_bytes(client, b'{"user_id": "u"}', **form)
    assert (status, answer["error"].endswith("add -H 'Content-Type: application/json'")) == (415, True)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type_json_may_have_parameters(client: FlaskClient, media_type: str) -> None:
    assert post_bytes(client, b'{"user_id": "u"}', **{"Content-Type": media_type})[0] == 200


@pytest.mark.parametrize("accept", ["text/html", "image/png, audio/*;q=0.5", "*/*;q=0"])
def test_an_unknown_accept_is_a_406(client: FlaskClient, accept: str) -> None:
    status, answer = post_bytes(client, b'{"user_id": "u"}', Accept=accept)
    assert status == 406
    assert "application/json" in answer["error"]


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*", "text/html, application/json;q=0.1", ""]
)
def test_an_accept_that_includes_json_is_accepted(client: FlaskClient, accept: str) -> None:
    assert post_bytes(client, b'{"user_id": "u"}', Accept=accept)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/", 404, None),
        ("POST", "/../../etc/passwd", 404, None),
        ("GET", "/invocations", 405, "POST"),
        ("PUT", "/invocations", 405, "POST"),
        ("POST", "/ping", 405, "GET"),
        ("POST", "/execution-parameters", 405, "GET"),
    ],
)
def test_other_paths_and_methods_get_errors_in_json(
    client: FlaskClient, method: str, path: str, status: int, allowed: str | None
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert "/invocations" in response.get_json()["error"]
    assert allowed is None or allowed in response.headers["Allow"]


def test_a_bug_is_a_500_without_a_stack_trace(trained: Job, capfd: pytest.CaptureFixture[str]) -> None:
    """Return a model with contradictory arrays, which no checksum shows."""
    broken = Recommender.load(trained.container.model_dir)
    object.__setattr__(broken.model.histories, "item_num", np.full(10**6, 10**6, np.int32))
    client = create_app(broken).test_client()
    status, answer = post(client, {"user_id": broken.model.users.id(0)})
    assert status == 500
    assert answer == {"error": "internal error; the server's log has the details", "field": ""}
    assert client.get("/ping").status_code == 200


def test_responses_are_plain_json_without_nan(client: FlaskClient, user_id: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    response = client.post("/invocations", json={"user_id": user_id, "top_k": 200})
    json.loads(response.get_data(), parse_constant=refuse)
    assert response.status_code == 200
