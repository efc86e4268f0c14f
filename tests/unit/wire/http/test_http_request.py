from zerogate.wire.http.request import RequestEnd, RequestHead


def test_a_head_without_arguments_stands_in_for_one_that_could_not_be_read() -> None:
    head = RequestHead()
    assert (head.method, head.fields, head.minor_version, head.keep_alive, head.has_body) == (b"", [], 1, False, False)


def test_what_has_a_body() -> None:
    assert RequestHead(content_length=1).has_body
    assert RequestHead(is_chunked=True).has_body
    assert not RequestHead(content_length=0).has_body
    assert not RequestHead(upgrade=b"websocket").has_body


def test_heads_do_not_share_their_fields() -> None:
    assert RequestHead().fields is not RequestHead().fields
    assert "GET" in repr(RequestHead(b"GET"))


def test_the_end_has_the_trailers() -> None:
    assert RequestEnd([(b"a", b"b")]).trailers == [(b"a", b"b")]
