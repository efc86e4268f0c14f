"""Whose certificate a client has shown, as text (RFC 4514)."""

import re
from collections.abc import Mapping
from typing import Any

# RFC 4514, 3; other attributes go by the name that OpenSSL has for them.
SHORT_NAMES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}

# RFC 4514, 2.4: what has a meaning is escaped, and what no field of HTTP may hold, or is not ASCII, by its octets.
_SPECIAL = re.compile(rb'[",+;<>\\=]')
_UNFIT = re.compile(rb"[^\x20-\x7e]")


def subject_of(certificate: Mapping[str, Any] | None) -> bytes:
    """`CN=alice,O=Example` of what `SSLObject.getpeercert` returns; empty if no certificate was shown, or asked for."""
    names = (certificate or {}).get("subject", ())
    return b",".join(b"+".join(_pair(*pair) for pair in name) for name in reversed(names))


def _pair(name: str, value: str) -> bytes:
    octets = _SPECIAL.sub(rb"\\\g<0>", value.encode("utf-8", "surrogateescape"))
    octets = _UNFIT.sub(lambda match: b"\\%02X" % match[0][0], octets)
    if octets.startswith((b" ", b"#")):
        octets = b"\\" + octets
    if octets.endswith(b" ") and octets != b"\\ ":
        octets = octets[:-1] + b"\\ "
    return SHORT_NAMES.get(name, name).encode() + b"=" + octets
