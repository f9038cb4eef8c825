"""Create, change, read and remove CloudFormation stacks; changes go through change sets."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from infra.aws import Aws, LaunchError, unless_missing
from infra.names import BASE_STACK, NAME, TAGS
from recommender.common.messages import printable, shown

POLL_SECONDS = 5
MAX_TEMPLATE_BYTES = 51_200  # limit of a template in the call itself (CloudFormation User Guide, "quotas")
# State in which a stack can't be changed -> what to do.
STUCK = {
    "ROLLBACK_COMPLETE": "its creation failed; remove it with `down`, then run this again",
    "ROLLBACK_FAILED": "remove it with `down`, then run this again",
    "CREATE_FAILED": "remove it with `down`, then run this again",
    "DELETE_FAILED": "remove it with `down`, then run this again",
    "UPDATE_ROLLBACK_FAILED": "continue its rollback in the CloudFormation console, then run this again",
}
STARTED = "REVIEW_IN_PROGRESS"  # a change set was created for a new stack, but never executed
NOTHING = re.compile("didn't contain changes|No updates are to be performed")
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Base:
    """The resources of the first stack: the bucket, the image repository and the roles."""

    bucket: str
    repository: str
    training_role: str
    endpoint_role: str

    def uri(self, *parts: str) -> str:
        """Return the s3:// URI of a location in the bucket."""
        return "/".join([f"s3://{self.bucket}", *parts])


def base(aws: Aws) -> Base:
    """Return the resources of the first stack.

    Raises:
        LaunchError: there is no such stack, or it lacks an output.
    """
    names = ("BucketName", "RepositoryUri", "TrainingRoleArn", "EndpointRoleArn")
    found = outputs(aws, BASE_STACK, "base")
    missing = [name for name in names if name not in found]
    if missing:
        raise LaunchError(f"stack {BASE_STACK} has no output {', '.join(missing)}: run `base` first")
    return Base(*(found[name] for name in names))


def outputs(aws: Aws, name: str, made_by: str) -> dict[str, str]:
    """Return the outputs of a stack.

    Raises:
        LaunchError: there is no such stack; the message names the command that creates it.
    """
    stack = find(aws, name)
    if stack is None or stack["StackStatus"] == STARTED:
        raise LaunchError(f"stack {name} does not exist in {aws.region}: run `{made_by}` first")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def find(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return the description of a stack by its name or ID; None if it does not exist."""
    found = unless_missing(lambda: aws.client("cloudformation").describe_stacks(StackName=name))
    return found["Stacks"][0] if found else None


def apply(aws: Aws, name: str, template: Path, given: Mapping[str, str]) -> bool:
    """Create or change a stack and wait for the result.

    Args:
        aws: the account.
        name: name of the stack.
        template: its file.
        given: parameters; an existing stack keeps its values of the others.

    Returns:
        Whether there was something to change.

    Raises:
        LaunchError: a parameter is not allowed, the stack can't be changed in its state, or the change failed. After
            a failure the failed resources are printed, and CloudFormation has rolled the stack back.
    """
    text = read_template(template)
    parameters = template_parameters(template)
    check_parameters(parameters, given)
    stack = find(aws, name)
    status = stack["StackStatus"] if stack else STARTED
    if status in STUCK:
        raise LaunchError(f"stack {name}: its status is {status}: {STUCK[status]}")
    if status.endswith("_IN_PROGRESS") and status != STARTED:
        raise LaunchError(
            f"stack {name}: its status is {status}: wait until CloudFormation is done, then run this again"
        )
    there = stack.get("Parameters", []) if stack and status != STARTED else []
    kept = {parameter["ParameterKey"] for parameter in there} & parameters.keys()
    change = {
        "StackName": name,
        "ChangeSetName": f"{NAME}-{time.strftime('%Y%m%d%H%M%S')}",
        "ChangeSetType": "CREATE" if status == STARTED else "UPDATE",
        "TemplateBody": text,
        "Parameters": [
            *({"ParameterKey": key, "ParameterValue": value} for key, value in given.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept - given.keys())),
        ],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
    }
    if not _prepare(aws, change):
        return False
    _execute(aws, change)
    return True


def read_template(path: Path) -> str:
    """Return the text of a template.

    Raises:
        LaunchError: the file is missing, or too long to be sent.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LaunchError(f"{path}: can't be read: {error.strerror}") from None
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise LaunchError(f"{path}: expected a template of at most {MAX_TEMPLATE_BYTES} bytes")
    return text


class _Loader(yaml.SafeLoader):
    """A YAML loader that ignores CloudFormation's short forms (!Ref, !Sub, ...)."""


_Loader.add_multi_constructor("!", lambda *_: None)


def template_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters of a template: name -> definition.

    Raises:
        LaunchError: see `read_template`.
    """
    document = yaml.load(read_template(path), Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    return document.get("Parameters") or {}


def check_parameters(known: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> None:
    """Check the values against a template's parameters, before anything is sent.

    Raises:
        LaunchError: a name is unknown, or a value is not allowed.
    """
    for name, value in given.items():
        if name not in known:
            raise LaunchError(f"parameter {printable(name)}: unknown name; known names are {', '.join(known)}")
        expected = _expected(known[name], value)
        if expected:
            raise LaunchError(f"parameter {name}: expected {expected}, got {shown(value)}")


def _expected(rules: Mapping[str, Any], value: str) -> str | None:
    """Return what the rules of a parameter expect; None if the value conforms."""
    allowed = [_text(item) for item in rules.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"one of {', '.join(map(repr, allowed))}"
    if rules.get("Type") == "Number":
        return _expected_number(rules, value)
    low, high = rules.get("MinLength", 0), rules.get("MaxLength", 4096)
    if not int(low) <= len(value) <= int(high):
        return f"{low} to {high} characters"
    pattern = rules.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return str(rules.get("ConstraintDescription", f"a text that matches {pattern}"))
    return None


def _expected_number(rules: Mapping[str, Any], value: str) -> str | None:
    low, high = rules.get("MinValue", "-infinity"), rules.get("MaxValue", "infinity")
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) and float(low) <= float(value) <= float(high):
        return None
    return f"a number from {low} to {high}"


def _text(value: object) -> str:
    """Return a value of the template as text, as CloudFormation takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _prepare(aws: Aws, change: dict[str, Any]) -> bool:
    """Create a change set; return False if it would change nothing."""
    client = aws.client("cloudformation")
    try:
        client.create_change_set(**change)
    except ClientError as error:
        if NOTHING.search(str(error)):
            return False
        raise
    this = {"StackName": change["StackName"], "ChangeSetName": change["ChangeSetName"]}
    made = client.describe_change_set(**this)
    while made["Status"].endswith(("_IN_PROGRESS", "_PENDING")):
        time.sleep(POLL_SECONDS)
        made = client.describe_change_set(**this)
    if made["Status"] == "CREATE_COMPLETE":
        return True
    client.delete_change_set(**this)
    why = str(made.get("StatusReason", ""))
    if NOTHING.search(why):
        return False
    raise LaunchError(f"stack {change['StackName']}: CloudFormation refuses the change: {printable(why)}")


def _execute(aws: Aws, change: dict[str, Any]) -> None:
    name, token = change["StackName"], change["ChangeSetName"]
    aws.client("cloudformation").execute_change_set(
        StackName=name, ChangeSetName=change["ChangeSetName"], ClientRequestToken=token
    )
    status = wait_until_settled(aws, name)
    if status not in DONE:
        for line in failures(aws, name, token):
            print(line)
        raise LaunchError(f"stack {name}: its status is {status}: {_afterwards(status)}")


def _afterwards(status: str) -> str:
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return "the change failed and was rolled back; the stack works as before"
    return STUCK.get(status, "see the lines above")


def wait_until_settled(aws: Aws, name: str) -> str:
    """Wait until CloudFormation has finished with a stack.

    Returns:
        The status of the stack; DELETE_COMPLETE if it no longer exists.
    """
    while True:
        stack = find(aws, name)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        if not status.endswith("_IN_PROGRESS"):
            return str(status)
        time.sleep(POLL_SECONDS)


def failures(aws: Aws, name: str, token: str) -> Iterable[str]:
    """Return a line for each resource that failed in the operation with that token, first failure first."""
    pages = aws.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):
        if event.get("ClientRequestToken") == token and event["ResourceStatus"].endswith("_FAILED"):
            why = printable(" ".join(event.get("ResourceStatusReason", "no reason given").split()))
            yield f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatus']}: {why}"


def remove(aws: Aws, name: str) -> None:
    """Delete a stack and wait until it is gone; do nothing if it does not exist.

    Raises:
        LaunchError: resources of the stack can't be deleted; they have been printed.
    """
    stack = find(aws, name)
    if stack is None:
        return
    token = f"{NAME}-{time.strftime('%Y%m%d%H%M%S')}"
    aws.client("cloudformation").delete_stack(StackName=name, ClientRequestToken=token)
    status = wait_until_settled(aws, stack["StackId"])
    if status != "DELETE_COMPLETE":
        for line in failures(aws, stack["StackId"], token):
            print(line)
        raise LaunchError(f"stack {name}: its status is {status}: remove what failed, then run this again")
