"""A process of several, and what it is asked to do. (All of them together: test_group.py.)"""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from zerogate.link.marks import new_id
from zerogate.router.brief import Brief, send_brief
from zerogate.router.listeners import Kind
from zerogate.router.scoreboard import CLIENTS, SLACK, Scoreboard, make_memory
from zerogate.router.seat import Seat
from zerogate.router.sibling import Sibling
from zerogate.settings import RouterSettings


async def said(ours: socket.socket) -> Any:
    data = b""
    while not data.endswith(b"\n"):
        data += await asyncio.get_running_loop().sock_recv(ours, 65536)
    return json.loads(data)


def test_it_says_hello_and_does_as_it_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        boxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        ids = (new_id(), new_id())
        with make_memory(2) as memory:
            outboxes = [box for _, box in boxes]
            memory_fd = os.dup(memory.fileno())
            send_brief(ours, Brief(Seat(ids[1], ids), [], memory.fileno(), boxes[1][0], outboxes))
            sibling = Sibling(RouterSettings(access_log=str(tmp_path / "log"), admin="127.0.0.1:1"), theirs)
        ours.setblocking(False)
        await sibling.start()
        assert "hello" in await said(ours)
        for number, order in enumerate(("accept_links", "accept_all_links", "accept", "share", "carry_on")):
            ours.send(json.dumps({"n": number, "do": order, "with": []}).encode() + b"\n")
            assert await said(ours) == {"n": number, "found": None}
        ours.send(b'{"n": 7, "do": "status", "with": []}\n{"n": 8, "do": "wait_workers", "with": [1, null, 0.01]}\n')
        status = await said(ours)
        assert (status["n"], status["found"]["process"]) == (7, 2)
        assert await said(ours) == {"n": 8, "found": 0}
        ours.send(b'{"n": 9, "do": "dance", "with": []}\n')
        assert await said(ours) == {"n": 9, "found": None}
        assert "could not do what was asked" in caplog.text
        clients, links = sibling.turn(Kind.CLIENTS), sibling.turn(Kind.LINKS)
        assert clients is not None
        assert clients is not links
        clients.taken()
        other = Scoreboard(memory_fd, 2, 0)
        assert other.is_least(CLIENTS, SLACK + 1)
        clients.left()
        assert not other.is_least(CLIENTS, SLACK + 1)
        os.close(memory_fd)
        assert sibling.turn(Kind.ADMIN) is None
        assert sibling.is_ours(Kind.CLIENTS, "x") is None
        await sibling.stop()
        ours.close()
        for box in boxes:
            for end in box:
                end.close()

    asyncio.run(main())
