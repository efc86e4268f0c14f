"""A certificate for localhost that this machine has signed itself: enough to try HTTPS, and trusted by nobody.

It is kept, so that a browser has to be told once only that it is known.
"""

import contextlib
import datetime
import ipaddress
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from zerogate.errors import StartError, UsageError

CERTIFICATE_NAME = "localhost.crt"
KEY_NAME = "localhost.key"
HOSTS = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
# Browsers take none that is good for longer than 398 days (CA/Browser Forum, 6.3.2), where they take any.
VALID_DAYS = 397
# One that would end while somebody works with it is made anew.
MIN_DAYS_LEFT = 7


class SelfSigned(NamedTuple):
    """Where they are; `is_new` if they have just been made."""

    certificate: Path
    key: Path
    is_new: bool


def state_directory() -> Path:
    """Where programs of this user keep what should outlive them (XDG Base Directory, 0.8)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "zerogate"


def self_signed(directory: Path | None = None, now: datetime.datetime | None = None) -> SelfSigned:
    """The one that is kept, or a new one. Raises UsageError without the library for it, StartError."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise UsageError(
            "--https needs a certificate: --tls-cert FILE --tls-key FILE; or `pip install 'zerogate[tls]'`, and one "
            "for localhost is made"
        ) from None
    directory = directory or state_directory()
    certificate, key = directory / CERTIFICATE_NAME, directory / KEY_NAME
    now = now or datetime.datetime.now(datetime.UTC)
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        # Of two that were made at once the one may have the other's key.
        of_key = load_pem_private_key(key.read_bytes(), None).public_key()
        if found.not_valid_after_utc > now + datetime.timedelta(days=MIN_DAYS_LEFT) and of_key == found.public_key():
            return SelfSigned(certificate, key, False)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate_pem, key_pem = _make(now)
        # The key first: who finds the certificate finds its key.
        _write(key, key_pem)
        _write(certificate, certificate_pem)
    except OSError as error:
        raise StartError(f"cannot keep a certificate in {directory}: {error.strerror or error}") from error
    return SelfSigned(certificate, key, True)


def _make(now: datetime.datetime) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{HOSTS[0]} (zerogate, self-signed)")])
    names = [x509.DNSName(host) for host in HOSTS]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    key_pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(encoding), key_pem


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, for this user alone."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
