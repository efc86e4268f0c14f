"""Static files as an application: Starlette's StaticFiles, which does ranges, validators, types and a page for 404.

Beyond that: what is compressed beforehand beside a file (`app.js.br`, `app.js.gz`) goes to who takes it, names that
begin with a dot are nobody's business, and `cache-control` is what one says. Folders are never listed. Small files are
kept in memory (`small_files.py`), and answered without a thread as long as they have not changed.
"""

import errno
import mimetypes
import os
import stat
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from zerogate.errors import UsageError
from zerogate.worker.file_reply import ChangedError, FileReply
from zerogate.worker.small_files import (
    MAX_FILE_BYTES,
    Key,
    Mark,
    SmallFile,
    SmallFiles,
    are_settled,
    mark_of,
    read_small,
)

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

# Who is replaced all the time is found in the end. A file that is replaced 2,000 times a second is another one at every
# second look or so.
MAX_LOOKS: Final = 50

# RFC 9110, 13.1: those that may make a 304 of it.
_CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})


# Where it is, what it is, and its content coding.
Variant = tuple[str, os.stat_result, str]


class FoundFile(str):
    """The path of a file, and what is compressed beforehand beside it.

    marks: what says whether any of that has changed; empty if that cannot be told yet
    contents: by path, of those that are small
    """

    def __new__(cls, path: str, variants: list[Variant]) -> "FoundFile":
        made = super().__new__(cls, path)
        made.variants = variants
        made.marks = []
        made.contents = {}
        return made

    variants: list[Variant]
    marks: list[Mark]
    contents: dict[str, bytes]

    def read(self, asked: str, found: os.stat_result) -> None:
        """Have what is small in memory. `asked` is the path before symbolic links were followed."""
        try:
            marks = [mark_of(asked), mark_of(os.path.dirname(self)), *(mark_of(path) for path, _, _ in self.variants)]
        except OSError:  # it has gone meanwhile
            return
        if are_settled(marks):
            self.marks = marks
            for path, each in ((str(self), found), *((path, each) for path, each, _ in self.variants)):
                data = read_small(path, each)
                if data is not None:
                    self.contents[path] = data


class Files(StaticFiles):
    """The files of a folder. `cache_control` is said of each of them, if it is not empty.

    prefixes: of its routes, below each of which it begins at its top. It takes them off itself, as at a prefix alone,
        without a slash behind it, a redirect says where the top is: what a page there names by its place is below it
    """

    def __init__(self, folder: str, cache_control: str = "", prefixes: Iterable[str] = ()) -> None:
        """Raises UsageError if there is no such folder."""
        if not os.path.isdir(folder):
            raise UsageError(f"{folder}: no such folder")
        super().__init__(directory=folder, html=True)
        self._folder = folder
        self._cache_control = cache_control
        self._prefixes = sorted(filter(None, prefixes), key=len, reverse=True)
        self._small = SmallFiles()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prefixes:
            scope = self._below(scope)
        kept = self._find_kept(scope)
        if kept is not None:
            await self._send_kept(kept, scope, receive, send)
            return
        try:
            await self._look_and_send(scope, receive, send)
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
        try:
            full_path, found = super().lookup_path(path)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            return "", None  # links that lead nowhere but to each other
        if found is None or not stat.S_ISREG(found.st_mode):
            return full_path, found
        if not os.access(full_path, os.R_OK):
            raise PermissionError(full_path)
        file = FoundFile(full_path, _variants(full_path, found, os.path.realpath(self._folder)))
        if found.st_size <= MAX_FILE_BYTES:
            file.read(os.path.join(self._folder, path), found)
        return file, found

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
        response = FileReply(path, status_code, stat_result=found, media_type=media_type(full_path))
        own = MutableHeaders(raw=response.raw_headers)
        if coding:
            own["content-encoding"] = coding
        if variants:
            own.add_vary_header("accept-encoding")
        if self._cache_control:
            own["cache-control"] = self._cache_control
        if path in full_path.contents and status_code == HTTPStatus.OK:
            key = _key_of(scope, accepted_codings(headers.get("accept-encoding", "")))
            self._small.keep(key, SmallFile(full_path.marks, response.raw_headers, full_path.contents[path]))
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, headers) else response

    def _below(self, scope: Scope) -> Scope:
        """The same below the route by which it came."""
        root = scope.get("root_path", "")
        path = f"{scope['path'].removeprefix(root)}/"
        prefix = next((each for each in self._prefixes if path.startswith(f"{each}/")), "")
        return {**scope, "root_path": root + prefix}

    async def _look_and_send(self, scope: Scope, receive: Receive, send: Send) -> None:
        for n_left in reversed(range(MAX_LOOKS)):
            try:
                await super().__call__(scope, receive, send)
                return
            except ChangedError:
                if not n_left:
                    raise

    def _find_kept(self, scope: Scope) -> SmallFile | None:
        """What was answered to the same before, if it has not changed."""
        if scope.get("method") not in ("GET", "HEAD"):
            return None
        accepts = None
        for name, value in scope["headers"]:
            if name == b"range":
                return None
            if name == b"accept-encoding" and accepts is None:
                accepts = value
        return self._small.find(_key_of(scope, accepted_codings((accepts or b"").decode("latin-1"))))

    async def _send_kept(self, kept: SmallFile, scope: Scope, receive: Receive, send: Send) -> None:
        if any(name in _CONDITIONS for name, _ in scope["headers"]):
            headers = Headers(raw=kept.headers)
            if self.is_not_modified(headers, Headers(scope=scope)):
                await NotModifiedResponse(headers)(scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else kept.data})


def _key_of(scope: Scope, codings: frozenset[str]) -> Key:
    return scope["path"], scope.get("root_path", ""), codings


def _refuse(status: int, headers: Mapping[str, str] | None) -> Response:
    return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers=headers)


def _variants(path: str, original: os.stat_result, folder: str) -> list[Variant]:
    """What is compressed beforehand beside the file, and not older than it: else it is of an older one.

    `folder` is where links may lead to, without any on its own way.
    """
    found = []
    for suffix, coding in CODINGS:
        try:
            variant = os.lstat(path + suffix)
            if stat.S_ISLNK(variant.st_mode) and is_within(os.path.realpath(path + suffix), folder):
                variant = os.stat(path + suffix)
        except OSError:
            continue
        if (
            stat.S_ISREG(variant.st_mode)
            and variant.st_mtime >= original.st_mtime
            and os.access(path + suffix, os.R_OK)
        ):
            found.append((path + suffix, variant, coding))
    return found


def is_within(path: str, folder: str) -> bool:
    """Both without links."""
    return os.path.commonpath((path, folder)) == folder


@lru_cache(maxsize=256)
def accepted_codings(text: str) -> frozenset[str]:
    """The content codings that a client takes (RFC 9110, 12.5.3), of those that there are here."""
    weights: dict[str, float] = {}
    for element in text.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return frozenset(coding for _, coding in CODINGS if weights.get(coding, weights.get("*", 0.0)) > 0)


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
