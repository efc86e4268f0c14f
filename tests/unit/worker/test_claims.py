"""One link for each router process."""

from typing import Any

from zerogate.worker.claims import Claims


class FakeDialler:
    def __init__(self) -> None:
        self.n_dials = 0

    def dial_again(self, lasted_s: float) -> None:
        self.n_dials += 1


def test_the_first_has_it_and_the_others_wait() -> None:
    claims = Claims()
    first: Any = object()
    second: Any = object()
    dialler: Any = FakeDialler()
    assert claims.claim("r", first)
    assert claims.claim("r", first)
    assert not claims.claim("r", second)
    assert claims.claim("s", second)
    claims.wait("r", dialler)
    assert repr(claims) == "<Claims 2, 1 wait>"
    claims.free(second)
    assert "s" not in claims
    assert not dialler.n_dials
    claims.free(first)
    assert dialler.n_dials == 1
    assert repr(claims) == "<Claims 0, 0 wait>"
    assert claims.claim("r", second)
    claims.free(second)
    assert dialler.n_dials == 1


def test_who_gives_up_is_not_told() -> None:
    claims = Claims()
    link: Any = object()
    dialler: Any = FakeDialler()
    claims.claim("r", link)
    claims.wait("r", dialler)
    claims.forget(dialler)
    claims.free(link)
    assert not dialler.n_dials
