"""On which terms a worker joins: its labels, its share of the requests, and which clients come back to it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from zerogate.errors import ZerogateError
from zerogate.wire.fields import Fields, is_lower_token
from zerogate.wire.http.fields import HOP_BY_HOP

LABEL, SHARE, STICKY = "label", "share", "sticky"

MAX_LABELS = 16
_is_label = re.compile(r"[A-Za-z0-9._-]{1,64}=[A-Za-z0-9._-]{1,64}", re.ASCII).fullmatch
_is_percentage = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII).fullmatch

COOKIE, CLIENT, HEADER = "cookie", "client", "header"
_HEADER_PREFIX = f"{HEADER}:"
MAX_FIELD_CHARS = 64
# Fields that no request has by the time that anybody looks.
_NEVER_THERE = HOP_BY_HOP | {b"host"}

Labels = tuple[tuple[str, str], ...]


class TermsError(ZerogateError):
    """A term is not written as it must be; the reason names the field."""


class Sticky(NamedTuple):
    """By what a client is known: `cookie`, `client` (its address) or `header`, then of the name `field`."""

    how: str
    field: str = ""

    def __str__(self) -> str:
        return f"{_HEADER_PREFIX}{self.field}" if self.field else self.how


class Terms(NamedTuple):
    """labels: names and values, in order of their names
    share: of the route's requests, above 0 and up to 1; None for as many as everybody's
    """

    labels: Labels = ()
    share: float | None = None
    sticky: Sticky | None = None

    @property
    def label_text(self) -> str:
        """`version=2,zone=a`."""
        return ",".join(f"{name}={value}" for name, value in self.labels)

    @property
    def names(self) -> list[str]:
        """The fields that say something."""
        said = {LABEL: self.labels, SHARE: self.share is not None, STICKY: self.sticky}
        return [name for name, value in said.items() if value]

    def fields(self) -> Fields:
        labels = "\0".join(f"{name}={value}" for name, value in self.labels)
        return {
            **({LABEL.encode(): labels.encode()} if labels else {}),
            **({} if self.share is None else {SHARE.encode(): _percentage(self.share)}),
            **({STICKY.encode(): str(self.sticky).encode()} if self.sticky else {}),
        }


def make_terms(labels: Iterable[str] = (), percentage: float | None = None, sticky: str = "") -> Terms:
    """Terms as they are set. Raises TermsError."""
    share = None if percentage is None else percentage / 100
    return Terms(_parse_labels(labels), share, _parse_sticky(sticky))


def parse_terms(fields: Fields) -> Terms:
    """The terms of a JOIN. Raises TermsError."""
    labels = fields.get(LABEL.encode(), b"").decode("latin-1")
    share = fields.get(SHARE.encode(), b"").decode("latin-1")
    sticky = fields.get(STICKY.encode(), b"").decode("latin-1")
    if not labels and not share and not sticky:
        return Terms()
    return make_terms(labels.split("\0") if labels else (), _parse_percentage(share), sticky)


def _parse_labels(texts: Iterable[str]) -> Labels:
    labels: dict[str, str] = {}
    for text in texts:
        if not _is_label(text):
            raise TermsError(f"label {text[:140]!r}: NAME=VALUE, each 1 to 64 of A-Z a-z 0-9 . _ -")
        name, _, value = text.partition("=")
        if name in labels:
            raise TermsError(f"label {name}: given twice")
        labels[name] = value
    if len(labels) > MAX_LABELS:
        raise TermsError(f"label: {len(labels)} of them, at most {MAX_LABELS}")
    return tuple(sorted(labels.items()))


def _percentage(share: float) -> bytes:
    return f"{share * 100:.9f}".rstrip("0").rstrip(".").encode()


def _parse_percentage(text: str) -> float | None:
    if not text:
        return None
    value = float(text) if _is_percentage(text) else 0.0
    if not 0.0 < value <= 100.0:
        raise TermsError(f"share {text[:40]!r}: a percentage, above 0 and up to 100")
    return value


def _parse_sticky(text: str) -> Sticky | None:
    if text in (COOKIE, CLIENT):
        return Sticky(text)
    if not text:
        return None
    name = text.removeprefix(_HEADER_PREFIX).lower() if text.startswith(_HEADER_PREFIX) else ""
    octets = name.encode("utf-8", "replace")
    if len(name) > MAX_FIELD_CHARS or not is_lower_token(octets):
        raise TermsError(f"sticky {text[:80]!r}: cookie, client or header:NAME")
    if octets in _NEVER_THERE:
        raise TermsError(f"sticky {text!r}: the field {name} is between two hops, and says nothing of a client")
    return Sticky(HEADER, name)
