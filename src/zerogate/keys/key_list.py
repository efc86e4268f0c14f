"""The router's list of workers' keys: a plain text file, a line for each key.

    # a comment
    KEY NAME ROUTE...

It is read again when it changes, and rewritten whole, so that nobody ever reads half of it.
"""

import os
import re
import stat
import tempfile
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from zerogate.errors import ZerogateError, ZmtpError
from zerogate.keys.files import changing, give
from zerogate.wire.http.routes import Route, RouteError, parse_route
from zerogate.wire.zmtp import decode_key, encode_key

# As a worker's own name (protocol.md, Joining).
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

# Lines that are not read anew where others have changed: a router reads them between two requests. With 10,000 of them
# that is 12 ms instead of 300.
MAX_KNOWN_LINES = 16_384

LIST_MODE = 0o644
"""Public keys and names are no secrets; whoever can write the file decides who comes in."""

HEADING = "# Who may be a worker here: KEY NAME ROUTE..., a line each. It is read again when it changes.\n"


class KeyListError(ZerogateError):
    """The list cannot be read; the reason names the line."""


class _LineError(KeyListError):
    """A line of it."""


class Entry(NamedTuple):
    """A key that may come in: under which name, and for which routes."""

    key: bytes
    name: str
    grants: tuple[Route, ...]

    def line(self) -> str:
        return f"{encode_key(self.key)} {self.name} {' '.join(map(str, self.grants))}\n"


class KeyList(NamedTuple):
    """What the list says. Keys and names are each there once."""

    entries: tuple[Entry, ...] = ()

    def find(self, key: bytes) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def named(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == name), None)


def parse_key_list(text: str) -> KeyList:
    """Read a list. Raises KeyListError."""
    by_key: dict[bytes, Entry] = {}
    names: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        try:
            entry = _parse_line(line)
            if entry is None:
                continue
            _check_new(entry, by_key, names)
        except ZerogateError as error:
            raise _LineError(f"line {number}: {error.reason}") from error
        by_key[entry.key] = entry
        names.add(entry.name)
    return KeyList(tuple(by_key.values()))


def read_key_list(path: Path) -> KeyList:
    """Read the list at a path; none there is an empty one. Raises KeyListError."""
    try:
        return parse_key_list(_read(path))
    except FileNotFoundError:
        return KeyList()
    except _LineError as error:
        raise KeyListError(f"{path}, {error.reason}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyListError(f"{path}: {error}") from error


def add_entry(path: Path, entry: Entry) -> None:
    """Add a line at the end; what is there stays as it is, comments too. Raises KeyListError or UsageError."""
    path = _behind_links(path)
    with changing(path.parent):
        _add(path, entry)


def _add(path: Path, entry: Entry) -> None:
    entries = read_key_list(path).entries
    _check_new(entry, {each.key: each for each in entries}, {each.name for each in entries})
    text = _text(path)
    _replace(path, [text if text.endswith("\n") else f"{text}\n", entry.line()])


def remove_entry(path: Path, name: str) -> Entry:
    """Take a name's line out. Raises KeyListError if there is none, and UsageError."""
    path = _behind_links(path)
    with changing(path.parent):
        return _remove(path, name)


def _remove(path: Path, name: str) -> Entry:
    entry = read_key_list(path).named(name)
    if entry is None:
        raise KeyListError(f"{path}: nobody is called {name!r}")
    mine = encode_key(entry.key)
    lines = _text(path).split("\n")
    _replace(path, ["\n".join(line for line in lines if line.split()[:1] != [mine])])
    return entry


def check_name(name: str) -> str:
    """The name, if it may be one. Raises KeyListError."""
    if not _NAME.fullmatch(name):
        raise KeyListError(f"{name[:140]!r} is no name: 1 to 128 of A-Z a-z 0-9 . _ -")
    return name


@lru_cache(maxsize=MAX_KNOWN_LINES)
def _parse_line(line: str) -> Entry | None:
    """What a line says; None for a comment or nothing. Raises KeyListError."""
    key, *rest = line.split() or ("#",)
    if key.startswith("#"):  # no key begins so: it would be over 2^32
        return None
    if len(rest) < 2:
        raise KeyListError("a line has KEY NAME ROUTE...; `*` is every route")
    try:
        return Entry(decode_key(key), check_name(rest[0]), tuple(map(parse_route, rest[1:])))
    except (ZmtpError, RouteError) as error:
        raise KeyListError(error.reason) from error


def _check_new(entry: Entry, by_key: Mapping[bytes, Entry], names: Container[str]) -> None:
    if (other := by_key.get(entry.key)) is not None:
        raise KeyListError(f"the key of {entry.name} is {other.name}'s")
    if entry.name in names:
        raise KeyListError(f"the name {entry.name} is there already: `zerogate keys revoke {entry.name}` takes it away")


def _behind_links(path: Path) -> Path:
    """Where the list is. Raises KeyListError for a link that leads nowhere: what it means nobody knows."""
    if os.path.islink(path) and not os.path.exists(path):
        raise KeyListError(f"{path}: it is a link that leads nowhere")
    return Path(os.path.realpath(path))


def _read(path: Path) -> str:
    """Without the mark that some editors begin a file with. Raises OSError, UnicodeDecodeError, KeyListError."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise KeyListError(f"{path}: it is no file")
    if mode & stat.S_IWOTH:
        raise KeyListError(f"{path}: everybody can write this list, and so decide who comes in (chmod o-w {path})")
    return path.read_text("utf-8-sig")


def _text(path: Path) -> str:
    return _read(path) if path.exists() else HEADING


def _replace(path: Path, pieces: Iterable[str]) -> None:
    """Write a file anew, whole or not at all (rename(2)). Whose it is, and its mode, stay."""
    found = path.stat() if path.exists() else None
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.writelines(pieces)
            file.flush()
            give(fd, found or path.parent.stat())
            os.fchmod(fd, LIST_MODE if found is None else found.st_mode & 0o777)
            os.fsync(fd)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
