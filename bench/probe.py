"""Does a contender answer as the application does? Asked before it is measured."""

import http.client
import socket
import ssl
from collections.abc import Sequence

import replies
from request import Request

TIMEOUT_S = 2.0


def problem(port: int, samples: Sequence[Request], scheme: str = "http") -> str | None:
    """Ask for each sample, and for the first once more, over one connection; what is wrong, or None."""
    try:
        with connect(port, scheme) as connection:
            for request in (*samples, samples[0]):
                connection.sendall(request.encode())
                if (difference := _difference(request, _receive(connection, request))) is not None:
                    return f"{request.method} {request.target}: {difference}"
    except (OSError, http.client.HTTPException) as trouble:
        return repr(trouble)
    return None


def connect(port: int, scheme: str) -> socket.socket:
    """A connection. With TLS nobody is asked for a certificate that is worth anything."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    if scheme == "http":
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


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
