"""The AWS account that a command works on: its session, and AWS errors as one line."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from infra.dry_run import DryRun
from recommender.common.messages import printable, reason
from recommender.errors import RecommenderError

CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in with `aws sso login`"
REGION = "set AWS_DEFAULT_REGION, for example eu-west-1, or a region in the profile"
# Error code of AWS -> what to do about it.
ADVICE = {
    "ExpiredToken": "renew your credentials",
    "ExpiredTokenException": "renew your credentials",
    "InvalidClientTokenId": f"AWS does not know the access key: {CREDENTIALS}",
    "UnrecognizedClientException": f"AWS does not know the access key: {CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key is wrong: {CREDENTIALS}",
    "ResourceLimitExceeded": "request a higher quota in the Service Quotas console, or use other or fewer instances",
    "LimitExceededException": "request a higher quota in the Service Quotas console",
    "ThrottlingException": "wait a minute and run the same command again",
    "Throttling": "wait a minute and run the same command again",
}
DENIED = re.compile("AccessDenied|UnauthorizedOperation|NotAuthorized|^403$")
MISSING = re.compile("does not exist|not exist|could not find|not found|NoSuch|RepositoryNotFound", re.IGNORECASE)


class LaunchError(RecommenderError):
    """A command of `infra` failed: because of the account, a stack, an argument or AWS itself."""


@dataclass(frozen=True)
class Aws:
    """An account in a region, or a dry run of it.

    Attributes:
        session: the session of every client, also of the SageMaker SDK.
        dry_run: records all calls and returns made-up responses; None: calls are sent.
    """

    session: boto3.Session
    dry_run: DryRun | None = None

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes the methods of a client at run time
        """Return a client of a service; it retries if AWS is busy."""
        return self.session.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 5}))  # type: ignore[call-overload]

    @property
    def region(self) -> str:
        """The name of the region."""
        return str(self.session.region_name)


def connect(dry_run: DryRun | None) -> Aws:
    """Return the account of the usual AWS variables and profile; for a dry run, an account that does not exist.

    Raises:
        LaunchError: no region is set, or the profile does not exist.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if dry_run is not None:
        session = boto3.Session("dry-run", "dry-run", region_name=region or "us-east-1")
        dry_run.watch(session)
        print("dry run: nothing below is sent, and the responses are made up")
        return Aws(session, dry_run)
    with translate_errors():
        session = boto3.Session(region_name=region)
        if not session.region_name:
            raise exceptions.NoRegionError
        return Aws(session)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate AWS errors into a message of one line.

    Raises:
        LaunchError: replaces any botocore error.
    """
    try:
        yield
    except exceptions.ClientError as error:
        raise LaunchError(_refusal(error)) from None
    except (exceptions.BotoCoreError, ResponseParserError, boto3.exceptions.Boto3Error) as error:
        raise LaunchError(_problem(error)) from None


def is_missing(error: exceptions.ClientError) -> bool:
    """Return whether an error says that the resource does not exist."""
    details = error.response.get("Error", {})
    return bool(MISSING.search(f"{details.get('Code')} {details.get('Message')}"))


def unless_missing(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - a response of botocore
    """Return the response of a call; None if the resource does not exist."""
    try:
        return call()
    except exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise


def _refusal(error: exceptions.ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = printable(" ".join(str(error.response.get("Error", {}).get("Message") or error).split())[:400])
    if DENIED.search(code):
        return f"{error.operation_name}: access denied: allow your user or role this action. AWS says: {said}"
    advice = ADVICE.get(code)
    return f"{error.operation_name}: {code}: {said}" + (f": {advice}" if advice else "")


def _problem(error: Exception) -> str:
    if isinstance(error, exceptions.NoRegionError):
        return f"no AWS region is set: {REGION}"
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return f"no AWS credentials were found: {CREDENTIALS}"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError | ResponseParserError):
        return f"AWS does not respond as expected: {reason(error)}: check network, region and AWS_ENDPOINT_URL"
    return reason(error)
