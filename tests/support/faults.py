"""An endpoint that answers as it is told to: what SageMaker says where things go wrong, over real HTTP."""

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
    """The URL of a faulty endpoint, its planned responses (the last one repeats), and the received requests."""

    url: str = ""
    answers: list[Response | float] = field(default_factory=list)
    asked: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    def will(self, *answers: Response | float) -> None:
        """Answer so; a number is a delay in seconds before an empty answer."""
        self.answers, self.asked = list(answers), []


def answer(status: int, code: str = "", **members: object) -> Response:
    headers = {"x-amzn-ErrorType": code} if code else {}
    return Response(json.dumps(members), status, {"Content-Type": "application/json", **headers})


def model_error(status: int, message: str) -> Response:
    return answer(424, "ModelError", Message="Received ...", OriginalStatusCode=status, OriginalMessage=message)


@contextmanager
def faulty_endpoint() -> Iterator[FaultyEndpoint]:
    endpoint = FaultyEndpoint()
    app = Flask(__name__)

    @app.post("/endpoints/fashion/invocations")
    def invoke() -> Response:
        endpoint.asked.append((request.get_data(), dict(request.headers)))
        planned = endpoint.answers.pop(0) if len(endpoint.answers) > 1 else endpoint.answers[0]
        if isinstance(planned, Response):
            return planned
        time.sleep(planned)
        return answer(200)

    with serving(app) as url:
        endpoint.url = url
        yield endpoint


@contextmanager
def closing_connections(answers_from: int) -> Iterator[tuple[str, list[int]]]:
    """A listener that closes its first connections without an answer; its URL and the number of each connection."""
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
                if len(seen) > answers_from:
                    connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
