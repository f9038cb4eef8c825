"""Read the body of a request; limits on size, time and memory apply while it arrives."""

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType
from werkzeug.wrappers import Request

from recommender.common.messages import shown
from recommender.service.load import Held, Load

BODY_SECONDS = 30  # time for a client to send a body
CHUNK = 32 * 2**10  # bytes per read


def read_body(request: Request, max_bytes: int, load: Load, held: Held) -> bytes:
    """Return the whole body of a request.

    Args:
        request: a request with an unread body.
        max_bytes: maximum size.
        load: limits the time.
        held: counts the arriving bytes.

    Raises:
        UnsupportedMediaType: the body is compressed.
        RequestEntityTooLarge: the body is too large.
        RequestTimeout: the client is too slow.
        BadRequest: the body is shorter than its Content-Length.
        ServiceUnavailable: the worker has no memory left for the body.
    """
    for header, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        _check_encoding(header, request.headers.get(header, ""), plain)
    length = request.content_length
    if length is not None and length > max_bytes:
        raise RequestEntityTooLarge
    body = bytearray()
    try:
        with load.deadline(BODY_SECONDS):
            stream = request.stream
            while (length is None or len(body) < length) and (part := stream.read(CHUNK)):
                if len(body) + len(part) > max_bytes:  # a chunked body has no length
                    raise RequestEntityTooLarge
                held.add(len(part))
                body += part
    except TimeoutError:
        raise RequestTimeout(f"body: expected the whole body within {BODY_SECONDS} s") from None
    except OSError:  # also gunicorn's error for a chunked body that ends too early
        raise BadRequest(f"body: expected more after {len(body)} bytes, the client closed the connection") from None
    if length is not None and len(body) < length:
        raise BadRequest(f"body: expected the {length} bytes of Content-Length, got {len(body)}")
    return bytes(body)


def _check_encoding(header: str, given: str, plain: str) -> None:
    if given.strip().lower() not in ("", plain):
        raise UnsupportedMediaType(f"{header}: expected none or {plain}, got {shown(given)}")
