"""The certificates of a router: which one a client gets, and how they are renewed while it runs."""

import asyncio
import logging
import os
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from zerogate.errors import StartError, UsageError
from zerogate.settings import TlsSettings

logger = logging.getLogger("zerogate.router")

# How often it is looked whether a file has changed. Renewals come days before they are needed.
POLL_S = 2.0
# How long the event loop is held up for what has changed. To load one takes 3 ms, and there may be a thousand that hang
# together, as by --tls-client-ca: whoever else is there has a turn in between.
MAX_HOLD_UP_S = 0.02
# With TLS 1.2 those that keep the past secret if the key is lost, and authenticate what they encrypt; with 1.3 all do.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for: what has expired has a name all the same.
_NO_CHECK_TIME = 0x200000
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# A handshake with oneself takes three flights.
_MAX_FLIGHTS = 10


class Pair(NamedTuple):
    """Files: a certificate with those above it, and its key, which may be in the same one."""

    certificate: str
    key: str

    def __str__(self) -> str:
        return self.certificate if self.certificate == self.key else f"{self.certificate} and {self.key}"


@dataclass
class Loaded:
    """What has become of a pair: `names` are those that it is for; `seen` are the files as they were then."""

    pair: Pair
    seen: tuple[Any, ...]
    context: ssl.SSLContext
    names: tuple[str, ...]


class Certificates:
    """`load`, then `context` makes a connection's TLS.

    protocols: what can be spoken, the dearest first (ALPN)
    """

    def __init__(self, settings: TlsSettings, protocols: Sequence[str]) -> None:
        self._settings = settings
        self._protocols = list(protocols)
        self._loaded: list[Loaded] = []
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._going_on: asyncio.Handle | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """The first pair's. It gives way to another one's if the client asks for a name of that (SNI)."""
        return self._loaded[0].context

    def load(self) -> None:
        """Read all of them, and again when they change. Raises UsageError or StartError."""
        settings = self._settings
        if not settings.tls_cert:
            raise UsageError("--https needs a certificate: --tls-cert FILE --tls-key FILE")
        if len(settings.tls_key) not in (0, len(settings.tls_cert)):
            raise UsageError(f"--tls-key: {len(settings.tls_key)} for {len(settings.tls_cert)} of --tls-cert")
        pairs = map(Pair, settings.tls_cert, settings.tls_key or settings.tls_cert)
        self._loaded = [self._load(pair) for pair in pairs]
        self._arrange()
        self._timer = asyncio.get_running_loop().call_later(POLL_S, self._poll)

    def look(self) -> None:
        """Read those anew that have changed. One that cannot be used is told of, and the one before it stays.

        Where they are many, some now and the others soon.
        """
        if self._going_on is None:
            self._look_from(0)

    def _look_from(self, first: int) -> None:
        self._going_on = None
        give_up = time.monotonic() + MAX_HOLD_UP_S
        for at, loaded in enumerate(self._loaded[first:], first):
            seen = self._files(loaded.pair)
            if seen == loaded.seen:
                continue
            loaded.seen = seen  # Whatever comes of it: it is told once.
            try:
                self._loaded[at] = self._load(loaded.pair)
            except StartError as error:
                logger.error("%s. The certificate before it stays in use", error.reason)
            else:
                logger.info("%s: read anew, for %s", loaded.pair, ", ".join(self._loaded[at].names) or "no name")
            if time.monotonic() > give_up:
                self._going_on = asyncio.get_running_loop().call_soon(self._look_from, at + 1)
                break
        self._arrange()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._going_on is not None:
            self._going_on.cancel()
            self._going_on = None

    def _poll(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(POLL_S, self._poll)
        self.look()

    def _arrange(self) -> None:
        """Of two for one name the first counts."""
        self._by_name = {name: loaded.context for loaded in reversed(self._loaded) for name in loaded.names}

    def _choose(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """By the name that the client asks for. With another, or none, it gets the first."""
        if name:
            name = name.lower().removesuffix(".")  # There should be none (RFC 6066, 3), and some clients send it.
            found = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
            if found is not None:
                tls.context = found

    def _load(self, pair: Pair) -> Loaded:
        """Raises StartError."""
        seen = self._files(pair)
        try:
            context = self._make_context(pair)
            certificate = _try(context, pair)
        except (OSError, ValueError) as error:
            raise StartError(f"--tls-cert {pair.certificate}: {_explain(error, pair)}") from error
        expires_at = ssl.cert_time_to_seconds(certificate["notAfter"])
        if expires_at < time.time():
            logger.warning("--tls-cert %s: it has expired (%s)", pair.certificate, certificate["notAfter"])
        return Loaded(pair, seen, context, _names(certificate))

    def _make_context(self, pair: Pair) -> ssl.SSLContext:
        authority = self._settings.tls_client_ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols(self._protocols)
        context.sni_callback = self._choose
        for path in filter(None, (*pair, authority)):
            with open(path, "rb"):
                pass  # OpenSSL does not say which of them it cannot read.
        context.load_cert_chain(pair.certificate, pair.key, _no_password)
        if authority:
            if not _CERTIFICATE.search(_read(authority)):
                raise ValueError(f"--tls-client-ca {authority}: there is no certificate in it")
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _files(self, pair: Pair) -> tuple[Any, ...]:
        """What tells whether they have changed; nothing of a file that is not there."""
        found: list[tuple[int, ...]] = []
        for path in (*pair, self._settings.tls_client_ca):
            try:
                stat = os.stat(path)
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append(())
        return tuple(found)


def _no_password() -> NoReturn:
    raise ValueError("the key is encrypted: a router that starts by itself has nobody to ask for the password")


def _try(context: ssl.SSLContext, pair: Pair) -> dict[str, Any]:
    """A handshake with ourselves, in memory: does it work, and what does the certificate say? `ssl` reads none else."""
    found = _CERTIFICATE.search(_read(pair.certificate))
    if found is None:
        raise ValueError("there is no certificate in it")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    client.load_verify_locations(cadata=found[0])
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server)
    # Without the name that it asks for, and without the certificate that others have to show.
    verify_mode, context.verify_mode = context.verify_mode, ssl.CERT_NONE
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    context.verify_mode = verify_mode
    for _ in range(_MAX_FLIGHTS):
        for end in (theirs, ours):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(theirs.getpeercert() or {})


def _names(certificate: dict[str, Any]) -> tuple[str, ...]:
    """Those it is for; where it has none of the kind that counts today, the one of its subject (RFC 6125, 6.4.4)."""
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if not names:
        names = [value for pairs in certificate.get("subject", ()) for kind, value in pairs if kind == "commonName"]
    return tuple(name.lower() for name in names)


def _read(path: str) -> str:
    with open(path, encoding="latin-1") as file:
        return file.read()


def _explain(error: Exception, pair: Pair) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {pair.key} is not this certificate's"
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if pair.key == pair.certificate:
            return f"OpenSSL cannot use it as a certificate and its key, which --tls-key FILE names: {reason}"
        return f"OpenSSL cannot use it with {pair.key}: {reason}"
    if isinstance(error, OSError):
        return f"cannot read {error.filename or pair}: {error.strerror or error}"
    return str(error)
