"""Does a contender answer as the application does? Asked before it is measured."""

import http.client
import socket
from collections.abc import Sequence

import replies
from request import Request

TIMEOUT_S = 2.0


def problem(port: int, samples: Sequence[Request]) -> str | None:
    """Ask for each sample, and for the first once more, over one connection; what is wrong, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            for request in (*samples, samples[0]):
                connection.sendall(request.encode())
                if (difference := _difference(request, _receive(connection, request))) is not None:
                    return f"{request.method} {request.target}: {difference}"
    except (OSError, http.client.HTTPException) as trouble:
        return repr(trouble)
    return None


def _receive(connection: socket.socket, request: Request) -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(connection, method=request.method)
    response.begin()
    return response, response.read()


def _difference(request: Request, received: tuple[http.client.HTTPResponse, bytes]) -> str | None:
    """What is wrong with a reply: every field of the application must be there as it made it, others may be."""
    response, content = received
    expected = replies.reply_to(request.method, request.path(), request.asked(), request.body)
    if expected is None:
        return "the application has no such path"
    status, fields, body = expected
    if response.status != status or content != body:
        return f"status {response.status}, not {status}, with {len(content)} of {len(body)} bytes, {content[:80]!r}"
    got = {(name.lower(), value) for name, value in response.getheaders()}
    if missing := [field for name, value in fields if (field := (name.decode(), value.decode())) not in got]:
        return f"the reply lacks {missing}"
    return "the connection is not kept alive" if response.will_close else None
