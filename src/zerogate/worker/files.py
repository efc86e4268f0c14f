"""Static files as an application: Starlette's StaticFiles, which does ranges, validators, types and a page for 404.

Beyond that: what is compressed beforehand beside a file (`app.js.br`, `app.js.gz`) goes to who takes it, names that
begin with a dot are nobody's business, and `cache-control` is what one says. Folders are never listed.
"""

import mimetypes
import os
import stat
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from zerogate.errors import UsageError

# By suffix, the best first; and which content coding it is (RFC 9110, 8.4.1).
CODINGS: Final = ((".br", "br"), (".gz", "gzip"))

# A folder for strangers (RFC 8615), though its name begins with a dot.
WELL_KNOWN: Final = ".well-known"

# What the standard library does not know, or only where the system does.
TYPES: Final = {
    ".avif": "image/avif",
    ".map": "application/json",
    ".md": "text/markdown",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_PACKED: Final = {"gzip": "application/gzip", "br": "application/octet-stream"}

PLAIN: Final = "application/octet-stream"


# Where it is, what it is, and its content coding.
Variant = tuple[str, os.stat_result, str]


class FoundFile(str):
    """The path of a file, and what is compressed beforehand beside it."""

    def __new__(cls, path: str, variants: list[Variant]) -> "FoundFile":
        made = super().__new__(cls, path)
        made.variants = variants
        return made

    variants: list[Variant]


class Files(StaticFiles):
    """The files of a folder. `cache_control` is said of each of them, if it is not empty."""

    def __init__(self, folder: str, cache_control: str = "") -> None:
        """Raises UsageError if there is no such folder."""
        if not os.path.isdir(folder):
            raise UsageError(f"{folder}: no such folder")
        super().__init__(directory=folder, html=True)
        self._cache_control = cache_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except PermissionError:
            await _refuse(403, None)(scope, receive, send)
        except HTTPException as error:
            # Starlette says 401 of what it may not read: but there is nothing to log in with.
            status = 403 if error.status_code == 401 else error.status_code
            await _refuse(status, error.headers)(scope, receive, send)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """As StaticFiles has it, in a thread: so all that asks the disk is here."""
        if any(name.startswith(".") and name not in (".", WELL_KNOWN) for name in path.split(os.sep)):
            return "", None
        full_path, found = super().lookup_path(path)
        if found is None or not stat.S_ISREG(found.st_mode):
            return full_path, found
        if not os.access(full_path, os.R_OK):
            raise PermissionError(full_path)
        return FoundFile(full_path, _variants(full_path, found)), found

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        assert isinstance(full_path, FoundFile)
        headers = Headers(scope=scope)
        variants = full_path.variants
        path, found, coding = str(full_path), stat_result, ""
        if variants:
            taken = accepted_codings(headers.get("accept-encoding", ""))
            path, found, coding = next((each for each in variants if each[2] in taken), (path, found, coding))
        response = FileResponse(path, status_code, stat_result=found, media_type=media_type(full_path))
        own = MutableHeaders(raw=response.raw_headers)
        if coding:
            own["content-encoding"] = coding
        if variants:
            own.add_vary_header("accept-encoding")
        if self._cache_control:
            own["cache-control"] = self._cache_control
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, headers) else response


def _refuse(status: int, headers: Mapping[str, str] | None) -> Response:
    return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers=headers)


def _variants(path: str, original: os.stat_result) -> list[Variant]:
    """What is compressed beforehand beside the file, and not older than it: else it is of an older one."""
    found = []
    for suffix, coding in CODINGS:
        try:
            variant = os.stat(path + suffix)
        except OSError:
            continue
        if variant.st_mtime >= original.st_mtime and os.access(path + suffix, os.R_OK):
            found.append((path + suffix, variant, coding))
    return found


def accepted_codings(text: str) -> set[str]:
    """The content codings that a client takes (RFC 9110, 12.5.3), of those that there are here."""
    weights: dict[str, float] = {}
    for element in text.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return {coding for _, coding in CODINGS if weights.get(coding, weights.get("*", 0.0)) > 0}


def media_type(path: str) -> str:
    """By the name. What is packed is what it is packed as: `a.tar.gz` is no tar to a browser."""
    kind, packed = _types().guess_type(os.path.basename(path))
    if packed is not None:
        return _PACKED.get(packed, PLAIN)
    return kind or PLAIN


@cache
def _types() -> mimetypes.MimeTypes:
    """The same on every machine: what the system's tables say is left out."""
    made = mimetypes.MimeTypes()
    for suffix, kind in TYPES.items():
        made.add_type(kind, suffix)
    return made
