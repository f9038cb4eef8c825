"""The second stack, the service: endpoint, function and API; and requests to it."""

import json
import os
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from infra import image, models, package, stacks
from infra.aws import Aws, LaunchError
from infra.names import BASE_STACK, NAME, SERVICE_TEMPLATE
from infra.stacks import Base
from recommender.common.messages import json_object, printable
from recommender.errors import ConfigError

API = "execute-api"  # API Gateway's name in the signature of a request
SECONDS = 35  # longer than the gateway's own timeout
# Parameters that the commands set.
SET_HERE = ("BaseStack", "ImageUri", "ModelDataUrl", "FunctionKey")
REFUSED = {
    401: "the API expects a JWT, which this command can't send: use curl with Authorization: Bearer TOKEN",
    403: "your user or role may not invoke this API: allow it the action execute-api:Invoke",
}


def deploy(aws: Aws, model: str | None, image_uri: str | None, given: Mapping[str, str]) -> None:
    """Create or change the service.

    Args:
        aws: the account.
        model: a training job's name, or the s3:// URI of a model.tar.gz. By default a new service takes the newest
            job's model, and an existing service keeps its own.
        image_uri: by default the job's image, or the most recently pushed one.
        given: other parameters of the template; an existing service keeps its values of the others.

    Raises:
        LaunchError: see `stacks.apply`; an endpoint that raised an alarm has been rolled back.
    """
    named = [name for name in given if name in SET_HERE]
    if named:
        raise LaunchError(f"parameter {named[0]}: the command sets it: leave it out, use --model and --image")
    stacks.check_parameters(stacks.template_parameters(SERVICE_TEMPLATE), given)
    base = stacks.base(aws)
    parameters = {"BaseStack": BASE_STACK, **_model(aws, base, model, image_uri), **given}
    parameters["FunctionKey"] = package.upload(aws, base)
    print(f"stack {NAME}: the endpoint takes some minutes")
    changed = stacks.apply(aws, NAME, SERVICE_TEMPLATE, parameters)
    print(f"stack {NAME}: {'done' if changed else 'nothing to change'}")
    for name, value in stacks.outputs(aws, NAME, "deploy").items():
        print(f"{name}: {value}")


def _model(aws: Aws, base: Base, model: str | None, image_uri: str | None) -> dict[str, str]:
    """Return the parameters for image and model; for an existing service only the changed ones."""
    if model is None and _exists(aws):
        return {"ImageUri": image_uri} if image_uri else {}
    if model is not None and model.startswith(models.SCHEME):
        return {"ImageUri": image_uri or image.newest(aws, base), "ModelDataUrl": model}
    own, data = models.model_of(models.trained(aws, base, model))
    return {"ImageUri": image_uri or own, "ModelDataUrl": data}


def _exists(aws: Aws) -> bool:
    stack = stacks.find(aws, NAME)
    return stack is not None and stack["StackStatus"] not in {stacks.STARTED, *stacks.STUCK}


def request_of(user_id: str | None, given: str | None) -> dict[str, object]:
    """Return the request for a user, or the one that is given as JSON.

    Raises:
        LaunchError: neither or both are given, or the JSON is not an object.
    """
    if (user_id is None) == (given is None):
        raise LaunchError("expected either USER_ID or --request")
    if given is None:
        if not user_id:
            raise LaunchError("USER_ID: expected a text, got an empty one")
        return {"user_id": user_id}
    try:
        return json_object(given, "--request")
    except ConfigError as error:
        raise LaunchError(str(error)) from None


def ask(aws: Aws, request: Mapping[str, object]) -> None:
    """Send a signed request to the API, and print the response.

    Raises:
        LaunchError: there is no service, or the status of its response is not 200.
    """
    url = stacks.outputs(aws, NAME, "deploy")["ApiUrl"]
    body = json.dumps(request)
    if aws.dry_run:
        aws.dry_run.show(f"{API}:Invoke", {"Method": "POST", "Url": url, "Body": body})
        return
    signed = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    credentials = aws.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials.get_frozen_credentials(), API, aws.region).add_auth(signed)
    session = URLLib3Session(
        timeout=SECONDS,
        proxies=get_environ_proxies(url),
        verify=os.environ.get("AWS_CA_BUNDLE") or True,  # type: ignore[arg-type]  # a file, too
    )
    response = session.send(signed.prepare())
    if response.status_code != 200:
        said = REFUSED.get(response.status_code) or printable(" ".join(response.text.split())[:400])
        raise LaunchError(f"{url}: status {response.status_code}: {said}")
    print(json.dumps(json.loads(response.text), indent=1, ensure_ascii=False))
