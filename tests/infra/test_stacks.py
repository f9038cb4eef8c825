"""Failing changes of stacks, with botocore's stubs; the function's zip; the request of `ask`; the calls of Docker."""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from support.job import ROOT

from infra import image, package, service, stacks
from infra.aws import Aws, LaunchError, translate_errors
from infra.names import BASE_STACK, NAME
from infra.stacks import Base

TEMPLATE = "Resources: {Bucket: {Type: 'AWS::S3::Bucket'}}"
BASE = Base("bucket", "1.dkr.ecr.eu-west-1.amazonaws.com/recommender", "training", "endpoint")
ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/recommender/1"


class Stubbed(Aws):
    """An account with one service, which returns prepared responses in their order."""

    def __init__(self, service: str) -> None:
        super().__init__(boto3.Session("x", "y", region_name="eu-west-1"))
        stubbed = self.session.client(service)  # type: ignore[call-overload]
        object.__setattr__(self, "stub", Stubber(stubbed))
        object.__setattr__(self, "only", (service, stubbed))

    stub: Stubber
    only: tuple[str, Any]

    def client(self, service: str) -> Any:  # noqa: ANN401 - a client of botocore
        assert service == self.only[0]
        return self.only[1]


@pytest.fixture
def aws() -> Iterator[Stubbed]:
    aws = Stubbed("cloudformation")
    with aws.stub:
        yield aws
        aws.stub.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "POLL_SECONDS", 0)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def stack_exists(aws: Stubbed, status: str, name: str = NAME) -> None:
    stack = {"StackName": NAME, "StackId": ID, "CreationTime": "2026-01-01", "StackStatus": status}
    aws.stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": name})


def stack_changes(aws: Stubbed, *statuses: str) -> None:
    """Prepare a change set that CloudFormation accepts, and the statuses of the stack while it runs."""
    stack_exists(aws, "UPDATE_COMPLETE")
    aws.stub.add_response("create_change_set", {}, {**dict.fromkeys(CHANGE, ANY), "ChangeSetType": "UPDATE"})
    for status in ("CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"):
        aws.stub.add_response("describe_change_set", {"Status": status}, {"StackName": NAME, "ChangeSetName": ANY})
    executed = {"StackName": NAME, "ChangeSetName": ANY, "ClientRequestToken": ANY}
    aws.stub.add_response("execute_change_set", {}, executed)
    for status in statuses:
        stack_exists(aws, status)


CHANGE = ("StackName", "ChangeSetName", "ChangeSetType", "TemplateBody", "Parameters", "Capabilities", "Tags")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ROLLBACK_COMPLETE", "its creation failed; remove it with `down`, then run this again"),
        ("DELETE_FAILED", "remove it with `down`, then run this again"),
        ("UPDATE_ROLLBACK_FAILED", "continue its rollback in the CloudFormation console, then run this again"),
        ("UPDATE_IN_PROGRESS", "wait until CloudFormation is done, then run this again"),
    ],
)
def test_the_error_for_a_stuck_stack_says_what_to_do(aws: Stubbed, template: Path, status: str, expected: str) -> None:
    stack_exists(aws, status)
    with pytest.raises(LaunchError) as error:
        stacks.apply(aws, NAME, template, {})
    assert str(error.value) == f"stack recommender: its status is {status}: {expected}"


def test_apply_waits_until_the_cleanup_of_a_change_is_done(aws: Stubbed, template: Path) -> None:
    stack_changes(aws, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE")
    assert stacks.apply(aws, NAME, template, {})


def test_a_rolled_back_change_prints_each_failed_resource(
    aws: Stubbed, template: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "now")
    stack_changes(aws, "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE")
    happened = [
        ("Function", "UPDATE_FAILED", "recommender-now", "Resource update cancelled"),
        ("Endpoint", "UPDATE_FAILED", "recommender-now", "an alarm\nwent off"),
        ("Model", "CREATE_COMPLETE", "recommender-now", "made"),
        ("Bucket", "CREATE_FAILED", "recommender-earlier", "of an earlier change"),
    ]
    events = [
        {
            "StackId": ID,
            "EventId": "1",
            "StackName": NAME,
            "Timestamp": "2026-01-01",
            "LogicalResourceId": name,
            "ResourceType": "AWS::X",
            "ResourceStatus": status,
            "ClientRequestToken": token,
            "ResourceStatusReason": why,
        }
        for name, status, token, why in happened
    ]
    aws.stub.add_response("describe_stack_events", {"StackEvents": events}, {"StackName": NAME})
    with pytest.raises(LaunchError, match="its status is UPDATE_ROLLBACK_COMPLETE: the change failed and was rolled"):
        stacks.apply(aws, NAME, template, {})
    assert capsys.readouterr().out.splitlines() == [
        "Endpoint (AWS::X): UPDATE_FAILED: an alarm went off",
        "Function (AWS::X): UPDATE_FAILED: Resource update cancelled",
    ]


@pytest.mark.parametrize(
    ("why", "changes_nothing"),
    [("The submitted information didn't contain changes.", True), ("Rule X failed: set Y", False)],
)
def test_a_refused_change_set_is_deleted(aws: Stubbed, template: Path, why: str, changes_nothing: bool) -> None:
    stack_exists(aws, "CREATE_COMPLETE")
    aws.stub.add_response("create_change_set", {}, dict.fromkeys(CHANGE, ANY))
    this = {"StackName": NAME, "ChangeSetName": ANY}
    aws.stub.add_response("describe_change_set", {"Status": "FAILED", "StatusReason": why}, this)
    aws.stub.add_response("delete_change_set", {}, this)
    if changes_nothing:
        assert not stacks.apply(aws, NAME, template, {})
    else:
        with pytest.raises(LaunchError, match="CloudFormation refuses the change: Rule X failed: set Y"):
            stacks.apply(aws, NAME, template, {})


def test_a_stack_that_was_never_created_gets_no_previous_values(aws: Stubbed, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(f"Parameters: {{Size: {{Type: Number, Default: 1}}}}\n{TEMPLATE}")
    stack = {"StackName": NAME, "CreationTime": "2026-01-01", "StackStatus": "REVIEW_IN_PROGRESS"}
    earlier = {"Parameters": [{"ParameterKey": "Size", "ParameterValue": "1"}]}
    aws.stub.add_response("describe_stacks", {"Stacks": [{**stack, **earlier}]}, {"StackName": NAME})
    new = {**dict.fromkeys(CHANGE, ANY), "ChangeSetType": "CREATE", "Parameters": []}
    aws.stub.add_client_error("create_change_set", "AlreadyExistsException", "it is", expected_params=new)
    with pytest.raises(ClientError):
        stacks.apply(aws, NAME, path, {})


def test_other_parameters_of_an_existing_stack_keep_their_values(aws: Stubbed, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(f"Parameters: {{A: {{Type: String}}, B: {{Type: String}}, New: {{Type: String}}}}\n{TEMPLATE}")
    there = [{"ParameterKey": key, "ParameterValue": "1"} for key in ("A", "B", "Gone")]
    stack = {"StackName": NAME, "CreationTime": "2026-01-01", "StackStatus": "CREATE_COMPLETE", "Parameters": there}
    aws.stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": NAME})
    expected = [{"ParameterKey": "A", "ParameterValue": "2"}, {"ParameterKey": "B", "UsePreviousValue": True}]
    change = {**dict.fromkeys(CHANGE, ANY), "ChangeSetType": "UPDATE", "Parameters": expected}
    aws.stub.add_client_error("create_change_set", "X", "No updates are to be performed.", expected_params=change)
    assert not stacks.apply(aws, NAME, path, {"A": "2"})


def test_a_failed_deletion_prints_the_resource_that_is_in_the_way(
    aws: Stubbed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "now")
    stack_exists(aws, "CREATE_COMPLETE")
    aws.stub.add_response("delete_stack", {}, {"StackName": NAME, "ClientRequestToken": "recommender-now"})
    stack_exists(aws, "DELETE_FAILED", ID)
    event = {
        "StackId": ID,
        "EventId": "1",
        "StackName": NAME,
        "Timestamp": "2026-01-01",
        "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "DELETE_FAILED",
        "ClientRequestToken": "recommender-now",
        "ResourceStatusReason": "it is not empty",
    }
    aws.stub.add_response("describe_stack_events", {"StackEvents": [event]}, {"StackName": ID})
    with pytest.raises(LaunchError, match="DELETE_FAILED: remove what failed, then run this again"):
        stacks.remove(aws, NAME)
    assert capsys.readouterr().out == "Bucket (AWS::S3::Bucket): DELETE_FAILED: it is not empty\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AccessDenied", "DescribeStacks: access denied: allow your user or role this action. AWS says: no way"),
        ("ExpiredToken", "DescribeStacks: ExpiredToken: no way: renew your credentials"),
        ("ValidationError", "DescribeStacks: ValidationError: no way"),
    ],
)
def test_an_aws_error_is_one_line(aws: Stubbed, code: str, expected: str) -> None:
    aws.stub.add_client_error("describe_stacks", code, "no\nway")
    with pytest.raises(LaunchError) as error, translate_errors():
        stacks.find(aws, NAME)
    assert str(error.value) == expected


# Parameters and the rules of the template


@pytest.mark.parametrize(
    ("rules", "good", "bad", "expected"),
    [
        ("{Type: String, AllowedValues: [None, AB]}", ["None", "AB"], ["", "ab"], "one of 'None', 'AB'"),
        ("{Type: String, AllowedValues: [true, false]}", ["true"], ["True"], "one of 'true', 'false'"),
        ("{Type: Number, AllowedValues: [1, 3]}", ["1"], ["2"], "one of '1', '3'"),
        (
            "{Type: Number, MinValue: -1, MaxValue: 9}",
            ["-1", "9", "1.5"],
            ["10", "x", "", "1e0"],
            "a number from -1 to",
        ),
        ("{Type: String, MinLength: 1, MaxLength: 2}", ["a", "ab"], ["", "abc"], "1 to 2 characters"),
        ("{Type: String, AllowedPattern: '|a+'}", ["", "aa"], ["ab"], "a text that matches |a+"),
        ("{Type: String, AllowedPattern: a, ConstraintDescription: an a}", ["a"], ["b", "a\n"], "an a"),
    ],
)
def test_parameters_are_checked_by_the_rules_of_the_template(
    tmp_path: Path, rules: str, good: list[str], bad: list[str], expected: str
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(f"Parameters: {{P: {rules}}}\nResources: {{X: !Sub 'a', Y: {{Z: !GetAtt A.B}}}}")
    parameters = stacks.template_parameters(path)
    for value in good:
        stacks.check_parameters(parameters, {"P": value})
    for value in bad:
        with pytest.raises(LaunchError) as error:
            stacks.check_parameters(parameters, {"P": value})
        assert str(error.value).startswith(f"parameter P: expected {expected}")


@pytest.mark.parametrize("name", ["base.yaml", "service.yaml"])
def test_a_template_fits_into_one_call_and_its_defaults_are_valid(name: str) -> None:
    path = ROOT / "infra" / name
    parameters = stacks.template_parameters(path)
    defaults = {key: str(rules["Default"]) for key, rules in parameters.items() if "Default" in rules}
    stacks.check_parameters(parameters, defaults)
    assert len(path.read_bytes()) <= 51_200


def test_a_too_long_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE + "#" * 51_200)
    with pytest.raises(LaunchError, match="expected a template of at most 51200 bytes"):
        stacks.read_template(path)


# The zip of the function


def test_the_zip_depends_only_on_names_and_content_of_its_sources(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder, mode in ((first, 0o600), (second, 0o755)):
        folder.mkdir()
        for name in ("b.py", "a.py"):
            (folder / name).write_text(f"# {name}")
            (folder / name).chmod(mode)
        (folder / "notes.txt").write_text("not of the function")
    assert package.pack(first) == package.pack(second)
    with zipfile.ZipFile(io.BytesIO(package.pack(first))) as archive:
        assert archive.namelist() == ["a.py", "b.py"]
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
    (second / "a.py").write_text("# changed")
    assert package.pack(first) != package.pack(second)


def test_the_zip_of_the_project_has_the_handler_at_its_root() -> None:
    with zipfile.ZipFile(io.BytesIO(package.pack())) as archive:
        assert "handler.py" in archive.namelist()
        assert archive.read("handler.py") == (ROOT / "lambda" / "handler.py").read_bytes()


# The request of `ask`, and the calls of Docker


class Api(BaseHTTPRequestHandler):
    """An HTTP server in place of the gateway: it keeps the request and sends `response`."""

    received: tuple[str, dict[str, str], bytes]
    response: tuple[int, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Api.received = (self.path, dict(self.headers), body)
        self.send_response(Api.response[0])
        self.end_headers()
        self.wfile.write(Api.response[1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(aws: Stubbed) -> Iterator[type[Api]]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/recommendations"
        stack = {"StackName": NAME, "CreationTime": "2026-01-01", "StackStatus": "CREATE_COMPLETE"}
        outputs = [{"OutputKey": "ApiUrl", "OutputValue": url}]
        aws.stub.add_response("describe_stacks", {"Stacks": [{**stack, "Outputs": outputs}]})
        yield Api
        server.shutdown()


def test_ask_signs_its_request_and_prints_the_response(
    aws: Stubbed, api: type[Api], capsys: pytest.CaptureFixture[str]
) -> None:
    api.response = (200, '{"recommended_items": ["Röcke"]}'.encode())
    service.ask(aws, service.request_of("A1 B2", None))
    path, headers, body = api.received
    assert (path, json.loads(body)) == ("/recommendations", {"user_id": "A1 B2"})
    scope = headers["Authorization"].partition("Credential=x/")[2].partition(",")[0]
    assert scope.split("/")[1:] == ["eu-west-1", "execute-api", "aws4_request"]
    assert "SignedHeaders=content-type;host;x-amz-date" in headers["Authorization"]
    assert json.loads(capsys.readouterr().out) == {"recommended_items": ["Röcke"]}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            401,
            "status 401: the API expects a JWT, which this command can't send: use curl with Authorization: Bearer",
        ),
        (403, "status 403: your user or role may not invoke this API: allow it the action execute-api:Invoke"),
        (503, 'status 503: {"error": "busy"}'),
    ],
)
def test_a_status_other_than_200_is_an_error_of_one_line(
    aws: Stubbed, api: type[Api], status: int, expected: str
) -> None:
    api.response = (status, b'{"error":\n"busy"}')
    with pytest.raises(LaunchError) as error:
        service.ask(aws, {"user_id": "A1"})
    assert expected in str(error.value)


def test_ask_can_send_a_request_of_any_kind(aws: Stubbed, api: type[Api]) -> None:
    api.response = (200, b'{"recommended_items": []}')
    service.ask(aws, service.request_of(None, '{"item_id": "B1", "top_k": 3}'))
    assert json.loads(api.received[2]) == {"item_id": "B1", "top_k": 3}


@pytest.mark.parametrize(
    ("user_id", "given", "expected"),
    [
        (None, None, "expected either USER_ID or --request"),
        ("A1", "{}", "expected either USER_ID or --request"),
        ("", None, "USER_ID: expected a text, got an empty one"),
        (None, "[1]", "--request: expected one JSON object, got a list of 1"),
        (None, "[" * 100_000, "--request: expected one JSON object"),
    ],
)
def test_ask_says_which_request_it_expects(user_id: str | None, given: str | None, expected: str) -> None:
    with pytest.raises(LaunchError) as error:
        service.request_of(user_id, given)
    assert expected in str(error.value)


DOCKER = """#!/bin/sh
for argument in "$@"; do printf '%s ' "$argument"; done >> LOG
case "$1" in login) printf '< '; cat;; esac >> LOG
echo "$BUILDX_NO_DEFAULT_ATTESTATIONS" >> LOG
test "$1" != push
"""


def test_docker_reads_the_password_from_standard_input_and_is_logged_out_after_a_failed_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    (tmp_path / "docker").write_text(DOCKER.replace("LOG", str(log)))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    aws = Stubbed("ecr")
    granted = {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}  # AWS:secret
    aws.stub.add_response("get_authorization_token", granted, {})
    with aws.stub, pytest.raises(LaunchError, match="docker push failed with exit code 1: see its output above"):
        image.send(aws, BASE, "sha256:abc", "abc")
    registry = "1.dkr.ecr.eu-west-1.amazonaws.com"
    assert log.read_text().splitlines() == [
        f"login --username AWS --password-stdin {registry} < secret1",
        f"tag sha256:abc {registry}/recommender:abc 1",
        f"push {registry}/recommender:abc 1",
        f"logout {registry} 1",
    ]


def test_the_newest_image_is_the_one_pushed_last() -> None:
    aws = Stubbed("ecr")
    pushed = [("sha256:1", "2026-01-02"), ("sha256:2", "2026-01-03"), ("sha256:3", "2026-01-01")]
    details = [{"imageDigest": digest, "imagePushedAt": time} for digest, time in pushed]
    aws.stub.add_response("describe_images", {"imageDetails": details}, {"repositoryName": "recommender"})
    with aws.stub:
        assert image.newest(aws, BASE) == f"{BASE.repository}@sha256:2"


def test_the_first_stack_must_have_its_outputs(aws: Stubbed) -> None:
    stack_exists(aws, "CREATE_COMPLETE", BASE_STACK)
    with pytest.raises(
        LaunchError,
        match="stack recommender-base has no output BucketName, RepositoryUri, TrainingRoleArn, EndpointRole",
    ):
        stacks.base(aws)
