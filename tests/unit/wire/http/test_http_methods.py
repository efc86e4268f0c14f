import pytest
from tests.support.each import each

from zerogate.wire.http.errors import BAD_REQUEST, METHOD_NOT_ALLOWED, NOT_IMPLEMENTED, ErrorKind, HttpError
from zerogate.wire.http.methods import MAX_METHOD_BYTES, check_method


@each("method", [b"GET", b"M-SEARCH", b"A", b"X_1", b"M" * MAX_METHOD_BYTES])
def test_what_is_left_to_the_application(method: bytes) -> None:
    check_method(method)


@each(
    ("method", "kind"),
    [
        (b"CONNECT", NOT_IMPLEMENTED),
        (b"TRACE", METHOD_NOT_ALLOWED),
        (b"get", NOT_IMPLEMENTED),
        (b"1GET", NOT_IMPLEMENTED),
        (b"G'T", NOT_IMPLEMENTED),
        (b"M" * (MAX_METHOD_BYTES + 1), NOT_IMPLEMENTED),
        (b"", BAD_REQUEST),
        (b"G(T", BAD_REQUEST),
        (b"G\x00T", BAD_REQUEST),
        (b"G\xc3T", BAD_REQUEST),
        (b"GET\n", BAD_REQUEST),
    ],
)
def test_what_is_not(method: bytes, kind: ErrorKind) -> None:
    with pytest.raises(HttpError) as caught:
        check_method(method)
    assert caught.value.kind is kind
