"""The environ of a request (PEP 3333, environ Variables), and of CGI what applications have come to expect."""

import sys
from typing import Final
from urllib.parse import unquote_to_bytes

from zerogate.worker.file_wrapper import FileWrapper
from zerogate.worker.request_block import RequestFields
from zerogate.worker.thread_call import ThreadCall
from zerogate.worker.wsgi_input import wsgi_input
from zerogate.worker.wsgi_types import Environ

# What has a variable of its own, and must not have another.
_OWN_VARIABLES: Final = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
# Several of one name are one variable; how they are joined (RFC 9110, 5.3; of cookies RFC 6265, 5.4).
_JOINTS: Final = {b"cookie": b"; "}
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

# Names of fields, as variables. The bound is for clients that make them up; a full one starts anew.
_MAX_NAMES: Final = 1024
_MAX_NAME_BYTES: Final = 64
_variables: dict[bytes, str] = {}


def root_of(path: str) -> str:
    """A root path as PEP 3333 has SCRIPT_NAME: empty, or from `/` to no `/`; and its characters octets."""
    stripped = path.strip("/")
    return f"/{stripped}".encode().decode("latin-1") if stripped else ""


def make_environ(thread_call: ThreadCall, root: str, *, strips_prefix: bool) -> Environ:
    """The environ of a call, which must have `:method` and `:path`. `root` is from `root_of`."""
    fields = thread_call.call.fields
    target = fields[b":path"]
    raw_path, _, query = target.partition(b"?")
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    scheme = "https" if fields.get(b"x-forwarded-proto") == b"https" else "http"
    name, port = _host_and_port(fields.get(b"x-forwarded-host") or fields.get(b":host", b""), scheme)
    if strips_prefix:
        root += unquote_to_bytes(fields.get(b"x-forwarded-prefix", b"").rstrip(b"/")).decode("latin-1")
    uri = target.decode("latin-1")
    environ: Environ = {
        "REQUEST_METHOD": fields[b":method"].decode("latin-1"),
        "SCRIPT_NAME": root,
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": uri,
        "RAW_URI": uri,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": fields.get(b":version", b"HTTP/1.1").decode("latin-1"),
        "REMOTE_ADDR": fields.get(b"x-real-ip", b"").decode("latin-1"),
        "REMOTE_PORT": fields.get(b"x-real-port", b"").decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": wsgi_input(thread_call),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scheme == "https":
        environ["HTTPS"] = "on"
    _add_fields(environ, fields)
    if thread_call.has_body_ended and thread_call.body and "CONTENT_LENGTH" not in environ:
        # It came in chunks, and is here: many an application reads as much as CONTENT_LENGTH says, and nothing else.
        environ["CONTENT_LENGTH"] = str(len(thread_call.body))
    return environ


def _add_fields(environ: Environ, fields: RequestFields) -> None:
    host = fields.get(b":host")
    if host:
        environ["HTTP_HOST"] = host.decode("latin-1")
    doubtful = []
    for name, value in fields.items():
        if name[0] == 0x3A:
            continue
        variable = _variables.get(name)
        if variable is None:
            if b"_" in name:
                doubtful.append(name)
                continue
            variable = _learn(name)
        if 0 in value:
            value = value.replace(b"\0", _JOINTS.get(name, b", "))
        environ[variable] = value.decode("latin-1")
    # `x_user` and `x-user` are one variable. Whoever sets one of them at a proxy before us sets the one without `_`.
    for name in doubtful:
        variable = _variable(name)
        if variable not in environ and variable.removeprefix("HTTP_") not in _OWN_VARIABLES.values():
            environ[variable] = fields[name].replace(b"\0", b", ").decode("latin-1")


def _learn(name: bytes) -> str:
    variable = _OWN_VARIABLES.get(name) or _variable(name)
    if len(name) <= _MAX_NAME_BYTES:
        if len(_variables) >= _MAX_NAMES:
            _variables.clear()
        _variables[name] = variable
    return variable


def _variable(name: bytes) -> str:
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


def _host_and_port(host: bytes, scheme: str) -> tuple[str, str]:
    """SERVER_NAME and SERVER_PORT, which may not be empty: where the client has found us, by its own word."""
    text = host.decode("latin-1")
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    return name or "localhost", port if port.isdigit() else _DEFAULT_PORTS[scheme]
