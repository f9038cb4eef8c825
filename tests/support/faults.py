"""A SageMaker endpoint with planned responses, for tests of errors over real HTTP."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, request

from infra.local.servers import serving


@dataclass
class FaultyEndpoint:
    """An endpoint with its URL, the planned responses and the requests so far.

    It sends the responses in turn, and repeats the last one.
    """

    url: str = ""
    responses: list[Response | float] = field(default_factory=list)
    requests: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    def respond_with(self, *responses: Response | float) -> None:
        """Plan these responses and forget the requests; a number is a delay in seconds before an empty response."""
        self.responses, self.requests = list(responses), []


def sagemaker_response(status: int, code: str = "", **members: object) -> Response:
    headers = {"x-amzn-ErrorType": code} if code else {}
    return Response(json.dumps(members), status, {"Content-Type": "application/json", **headers})


def model_error(status: int, message: str) -> Response:
    return sagemaker_response(
        424, "ModelError", Message="Received ...", OriginalStatusCode=status, OriginalMessage=message
    )


@contextmanager
def faulty_endpoint() -> Iterator[FaultyEndpoint]:
    endpoint = FaultyEndpoint()
    app = Flask(__name__)

    @app.post("/endpoints/fashion/invocations")
    def invoke() -> Response:
        endpoint.requests.append((request.get_data(), dict(request.headers)))
        planned = endpoint.responses.pop(0) if len(endpoint.responses) > 1 else endpoint.responses[0]
        if isinstance(planned, Response):
            return planned
        time.sleep(planned)
        return sagemaker_response(200)

    with serving(app) as url:
        endpoint.url = url
        yield endpoint


@contextmanager
def closing_connections(count: int) -> Iterator[tuple[str, list[int]]]:
    """Run a listener that closes its first `count` connections without a response.

    Yields its URL, and a list with one entry per connection.
    """
    seen: list[int] = []
    body = b'{"user_id": "a"}'
    response = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def run(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(len(seen))
                connection.recv(65_536)
                if len(seen) > count:
                    connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
