"""The two faces between a client and what answers it: each kind of client and of answer has all of its own.

What they promise each other is tested where they meet (exchange/), for each kind of client.
"""

import inspect
from typing import Any

from tests.support.each import each
from tests.support.fakes import FakeClient
from tests.support.memory_client import MemoryConnection, MemoryStream
from zerogate.router.clients.http1 import Http1Client
from zerogate.router.exchange import Exchange
from zerogate.router.faces import BODY_CREDIT_BYTES, Client, ClientExchange, Connection
from zerogate.router.own import OwnExchange


def methods(face: type) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(value) for name, value in vars(face).items() if inspect.isfunction(value)}


def asked_of(face: type) -> dict[str, inspect.Signature]:
    return {name: signature for name, signature in methods(face).items() if not name.startswith("_")}


def shape(signature: inspect.Signature) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults: what a caller relies on."""
    return [(parameter.name, parameter.kind, parameter.default) for parameter in signature.parameters.values()]


@each(
    ("face", "kind"),
    [
        (Client, Http1Client),
        (Client, MemoryStream),
        (Client, FakeClient),
        (ClientExchange, Exchange),
        (ClientExchange, OwnExchange),
        (Connection, Http1Client),
        (Connection, MemoryConnection),
    ],
)
def test_who_stands_behind_a_face_has_all_of_it(face: type, kind: type) -> None:
    wanted = asked_of(face)
    assert len(wanted) >= 3
    for name, signature in wanted.items():
        made = getattr(kind, name)
        assert made is not getattr(face, name, None), f"{name} is the face's own, which does nothing"
        assert shape(inspect.signature(made)) == shape(signature), name


def test_the_credit_is_more_than_one_piece_and_less_than_a_flood() -> None:
    assert 16 * 1024 <= BODY_CREDIT_BYTES <= 256 * 1024
