"""Methods (RFC 9110, 9): which are left to the application."""

import re

from zerogate.wire.fields import is_token
from zerogate.wire.http.errors import BAD_REQUEST, METHOD_NOT_ALLOWED, NOT_IMPLEMENTED, HttpError

# Methods are short words; longer than any that is registered (RFC 9110, 16.1.1: UPDATEREDIRECTREF has 17) twice over.
MAX_METHOD_BYTES = 40

# What methods that are left to the application begin with, and how they go on.
FIRST_OCTETS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Upper-case on purpose: methods are case-sensitive (RFC 9110, 9.1), applications are not always, and `get` would be
# one thing to a rule and another to what the rule protects.
_is_method = re.compile(rb"[A-Z][A-Z0-9_-]*").fullmatch
# A tunnel to anywhere, and an echo of credentials (RFC 9110, 9.3.6 and 9.3.8).
_REFUSED = {b"CONNECT": NOT_IMPLEMENTED, b"TRACE": METHOD_NOT_ALLOWED}


def check_method(method: bytes) -> None:
    """Raises HttpError unless `method` can be left to the application."""
    if method in _REFUSED:
        raise HttpError(_REFUSED[method], f"{method.decode('ascii')} is not served")
    if not is_token(method):
        raise HttpError(BAD_REQUEST, "malformed method")
    if len(method) > MAX_METHOD_BYTES or not _is_method(method):
        raise HttpError(NOT_IMPLEMENTED, "unknown method")
