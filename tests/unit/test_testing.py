"""A site for tests, in a thread of its own."""

import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.processes import wait_for
from zerogate.errors import StartError, UsageError
from zerogate.testing import Site


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"hello"]


def other(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"other"]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as reply:
        return bytes(reply.read())


def test_a_site() -> None:
    with Site(hello) as site:
        assert get(site.url) == b"hello"
        added = site.add(other, route=("/other",), name="other")
        assert "other" in repr(added)
        assert get(f"{site.url}/other") == b"other"
        assert len(site.status()["workers"]) == 2
        added.stop()
        added.stop()
        wait_for(lambda: len(site.status()["workers"]) == 1, "it has left")
    with pytest.raises(RuntimeError, match="is not open"):
        site.status()
    wait_for(lambda: not [each for each in threading.enumerate() if each.name == "zerogate site"], "no thread is left")


def test_options_are_those_of_run() -> None:
    with Site(hello, max_body=10) as site, pytest.raises(urllib.error.HTTPError, match="413") as caught:
        urllib.request.urlopen(site.url, b"x" * 11, timeout=20)
    caught.value.close()
    with pytest.raises(UsageError, match="--max-head"):
        Site(hello, max_head=1)


def test_without_a_worker_at_first() -> None:
    with Site(None, queue_timeout=0.01) as site:
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            get(site.url)
        caught.value.close()
        site.add(hello)
        assert get(site.url) == b"hello"


def test_what_cannot_start_leaves_nothing() -> None:
    with pytest.raises(StartError, match="not an application"), Site(7):
        pass
    assert not [each for each in threading.enumerate() if each.name == "zerogate site"]
