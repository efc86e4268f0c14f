"""One request, as a client would send it."""

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Request:
    """Its parts; `fields` in order, names as browsers write them."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    def encode(self) -> bytes:
        """The octets of the request."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.fields)]
        return "\r\n".join((*lines, "", "")).encode("ascii") + self.body

    def path(self) -> str:
        """The path that an ASGI application is told."""
        return unquote(self.target.partition("?")[0])

    def asked(self) -> list[tuple[bytes, bytes]]:
        """The fields that an ASGI application is told."""
        return [(name.lower().encode(), value.encode()) for name, value in self.fields]
