"""`zerogate check`: whether the processes of this user are well, asked one by one; for probes of containers."""

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zerogate.check_port import PREFIX
from zerogate.condition import Condition
from zerogate.console import show
from zerogate.errors import StartError
from zerogate.runtime import candidate_directories, is_private

MAX_ANSWER_BYTES = 64 * 1024
# Of those that are well.
MAX_SHOWN = 3

# What a command's children are, by the first word of their arguments.
ROUTER = "router"


@dataclass
class Answer:
    """What a process has said. is_silent: it is there, and says nothing."""

    pid: int
    command: int = 0
    is_silent: bool = False
    children: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)


def check(name: str, timeout_s: float) -> None:
    """Say in one line that all is well: of every process, or of those called so. Raises StartError if it is not."""
    answers = list(_ask_all(timeout_s))
    if name:
        named = [each for answer in answers for each in answer.conditions if _is_called(each.name, name)]
        well, wrong = judge([Answer(0, conditions=named)])
        if not named:
            silent = [f"process {answer.pid} does not answer" for answer in answers if answer.is_silent]
            wrong = ["; ".join([f"nobody here is called {name}", *silent])]
    else:
        well, wrong = judge(answers)
        if not answers:
            wrong = ["no router and no worker of this user runs here"]
    if wrong:
        raise StartError("; ".join(wrong))
    more = len(well) - MAX_SHOWN
    show(f"ok: {', '.join(well[:MAX_SHOWN])}" + (f" and {more} more" if more > 0 else ""))


def judge(answers: list[Answer]) -> tuple[list[str], list[str]]:
    """What is well, and what is wrong, in words.

    Of a command's processes of one kind one that is well is enough: others may be on their way up, or down.
    """
    well: list[str] = []
    wrong: list[str] = []
    commands = {answer.command for answer in answers if not answer.is_silent}
    for answer in answers:
        if answer.command not in commands:
            answer.command = answer.pid  # it has another parent than a command of ours
    for command in sorted({answer.command for answer in answers}):
        mine = [answer for answer in answers if answer.command == command]
        conditions = [each for answer in mine for each in answer.conditions]
        kinds = {each.kind for each in conditions} | {_kind(word) for answer in mine for word in answer.children}
        for kind in sorted(kinds):
            of_kind = [each for each in conditions if each.kind == kind]
            good = [str(each) for each in of_kind if each.is_well]
            well += good
            if not good:
                wrong += [str(each) for each in of_kind] or [f"no {kind} of process {command} is up"]
        if wrong or not conditions:
            wrong += [
                f"process {answer.pid} does not answer: it hangs, or is busy" for answer in mine if answer.is_silent
            ]
    return well, wrong


def _kind(word: str) -> str:
    return ROUTER if word == ROUTER else "worker"


def _is_called(name: str, wanted: str) -> bool:
    """`web-1`, and `web` for all of `web-1`, `web-2`, …"""
    return name == wanted or re.fullmatch(rf"{re.escape(wanted)}-\d+", name) is not None


def _ask_all(timeout_s: float) -> Iterator[Answer]:
    for directory in candidate_directories():
        if is_private(directory):
            for path in sorted(directory.glob(f"{PREFIX}*")):
                if (answer := _ask(path, timeout_s)) is not None:
                    yield answer


def _ask(path: Path, timeout_s: float) -> Answer | None:
    """None if its process has gone, and left the socket behind."""
    number = path.name.removeprefix(PREFIX)
    pid = int(number) if number.isdigit() else 0
    data = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(os.fspath(path))
            while (piece := sock.recv(MAX_ANSWER_BYTES)) and len(data) < MAX_ANSWER_BYTES:
                data += piece
            found = json.loads(data)
            conditions = [Condition(**each) for each in found["conditions"]]
            return Answer(found["pid"], found["command"], False, found["children"], conditions)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return Answer(pid, _parent_of(pid), is_silent=True)


def _parent_of(pid: int) -> int:
    """Where the system does not tell, the process itself."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(fields["PPid"])
    except (OSError, ValueError, KeyError):
        return pid
