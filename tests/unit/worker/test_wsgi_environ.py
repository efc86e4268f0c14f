"""The environ of a request."""

import sys
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tests.support.each import each
from zerogate.worker import wsgi_environ
from zerogate.worker.wsgi_environ import make_environ, root_of

REQUEST = {
    b":method": b"GET",
    b":path": b"/",
    b":version": b"HTTP/1.1",
    b":host": b"shop.example",
    b":scheme": b"http",
    b"x-forwarded-host": b"shop.example",
    b"x-forwarded-proto": b"http",
    b"x-real-ip": b"203.0.113.9",
    b"x-real-port": b"4711",
}


class Call:
    """A call as far as an environ is made of it."""

    def __init__(self, fields: dict[bytes, bytes], body: bytes | None, has_body_ended: bool) -> None:
        self.fields = fields
        self.body = body
        self.has_body_ended = has_body_ended
        self.call = self

    def read_body(self) -> bytes:
        return b""


def environ(
    *,
    root: str = "",
    strips_prefix: bool = False,
    body: bytes | None = b"",
    has_body_ended: bool = True,
    **fields: bytes,
) -> dict[str, Any]:
    """Of a request with these fields: `_` for `-`, `__` for `_`, `p_path` for `:path`."""
    named = {
        name.replace("p_", ":", name.startswith("p_")).replace("__", "\0").replace("_", "-").replace("\0", "_"): value
        for name, value in fields.items()
    }
    call = Call({**REQUEST, **{name.encode(): value for name, value in named.items()}}, body, has_body_ended)
    return make_environ(cast(Any, call), root, strips_prefix=strips_prefix)


def test_what_every_request_has() -> None:
    made = environ(
        p_path=b"/a%20b/%C3%A9?q=%20&r", accept=b"text/html", content_type=b"text/plain", content_length=b"0"
    )
    assert made.pop("wsgi.input").read() == b""
    assert made.pop("wsgi.errors") is sys.stderr
    made.pop("wsgi.file_wrapper")
    assert made == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/\xc3\xa9",
        "QUERY_STRING": "q=%20&r",
        "REQUEST_URI": "/a%20b/%C3%A9?q=%20&r",
        "RAW_URI": "/a%20b/%C3%A9?q=%20&r",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "REMOTE_PORT": "4711",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "0",
        "HTTP_HOST": "shop.example",
        "HTTP_ACCEPT": "text/html",
        "HTTP_X_FORWARDED_HOST": "shop.example",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_REAL_IP": "203.0.113.9",
        "HTTP_X_REAL_PORT": "4711",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


@each(
    ("host", "scheme", "server"),
    [
        (b"a.example", b"http", ("a.example", "80")),
        (b"a.example", b"https", ("a.example", "443")),
        (b"a.example:8443", b"https", ("a.example", "8443")),
        (b"[::1]", b"http", ("[::1]", "80")),
        (b"[::1]:81", b"http", ("[::1]", "81")),
        (b"a.example:", b"http", ("a.example", "80")),
        (b"a.example:x", b"http", ("a.example", "80")),
        (b":9", b"http", ("localhost", "9")),
        (b"", b"http", ("localhost", "80")),
    ],
)
def test_where_the_client_has_found_us(host: bytes, scheme: bytes, server: tuple[str, str]) -> None:
    made = environ(p_host=host, x_forwarded_host=host, x_forwarded_proto=scheme)
    assert (made["SERVER_NAME"], made["SERVER_PORT"]) == server
    assert (made["wsgi.url_scheme"], made.get("HTTPS")) == (scheme.decode(), "on" if scheme == b"https" else None)
    assert ("HTTP_HOST" in made) == bool(host)


def test_a_proxy_before_us_may_have_another_host() -> None:
    made = environ(p_host=b"inside:9000", x_forwarded_host=b"shop.example", x_forwarded_proto=b"https")
    assert (made["SERVER_NAME"], made["SERVER_PORT"], made["HTTP_HOST"]) == ("shop.example", "443", "inside:9000")


def test_other_schemes_are_none() -> None:
    assert environ(x_forwarded_proto=b"gopher")["wsgi.url_scheme"] == "http"


@each(
    ("path", "root"),
    [("", ""), ("/", ""), ("shop", "/shop"), ("/shop/", "/shop"), ("/a/b", "/a/b"), ("/é", "/\xc3\xa9")],
)
def test_a_root_is_as_script_name_is(path: str, root: str) -> None:
    assert root_of(path) == root


def test_where_it_is_mounted() -> None:
    made = environ(root="/root", p_path=b"/x", x_forwarded_prefix=b"/shop%20one/")
    assert (made["SCRIPT_NAME"], made["PATH_INFO"]) == ("/root", "/x")
    made = environ(root="/root", p_path=b"/x", x_forwarded_prefix=b"/shop%20one/", strips_prefix=True)
    assert (made["SCRIPT_NAME"], made["PATH_INFO"]) == ("/root/shop one", "/x")
    assert environ(strips_prefix=True)["SCRIPT_NAME"] == ""


def test_several_of_one_name_are_one_variable() -> None:
    made = environ(accept=b"a\0b", cookie=b"c=1\0d=2")
    assert (made["HTTP_ACCEPT"], made["HTTP_COOKIE"]) == ("a, b", "c=1; d=2")


def test_no_field_passes_for_another() -> None:
    made = environ(x__user=b"admin", x_user=b"me", other__one=b"a\0b")
    assert (made["HTTP_X_USER"], made["HTTP_OTHER_ONE"]) == ("me", "a, b")
    # Nor where nobody has set the one that it looks like, and it is not of HTTP's variables.
    made = environ(content__length=b"7", content__type=b"text/evil", x_real__ip=b"127.0.0.1")
    assert not {"CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & {*made}
    assert made["HTTP_X_REAL_IP"] == "203.0.113.9"


def test_a_small_body_without_a_length_has_one_here() -> None:
    made = environ(body=b"chunks")
    assert (made["CONTENT_LENGTH"], made["wsgi.input"].read()) == ("6", b"chunks")
    assert "CONTENT_LENGTH" not in environ(body=b"chunks", has_body_ended=False)
    assert environ(body=b"chunks", content_length=b"6")["CONTENT_LENGTH"] == "6"
    assert "CONTENT_LENGTH" not in environ(body=b"")


def test_names_that_are_made_up_fill_nothing() -> None:
    def made_of(name: str) -> dict[str, Any]:
        call = Call({**REQUEST, name.encode(): b"1"}, b"", True)
        return make_environ(cast(Any, call), "", strips_prefix=False)

    for number in range(3 * wsgi_environ._MAX_NAMES):
        assert made_of(f"x-{number}")[f"HTTP_X_{number}"] == "1"
        assert len(wsgi_environ._variables) <= wsgi_environ._MAX_NAMES
    long = "x" * (wsgi_environ._MAX_NAME_BYTES + 1)
    assert made_of(long)[f"HTTP_{long.upper()}"] == "1"
    assert long.encode() not in wsgi_environ._variables


@given(st.dictionaries(st.text("ab-_", min_size=1, max_size=5), st.binary(max_size=3), max_size=8))
def test_each_variable_is_one_field_s(fields: dict[str, bytes]) -> None:
    call = Call({**REQUEST, **{name.encode(): value for name, value in fields.items()}}, b"", True)
    made = make_environ(cast(Any, call), "", strips_prefix=False)
    for name, value in fields.items():
        variable = f"HTTP_{name.upper().replace('-', '_')}"
        rivals = [other for other in fields if other.upper().replace("-", "_") == variable.removeprefix("HTTP_")]
        if len(rivals) == 1 or (plain := [each for each in rivals if "_" not in each]) == [name]:
            assert made[variable] == value.replace(b"\0", b", ").decode("latin-1")
        else:
            assert made[variable] in [fields[each].replace(b"\0", b", ").decode("latin-1") for each in plain or rivals]
    assert all(type(value) is str for name, value in made.items() if "." not in name)
