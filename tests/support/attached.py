"""Servers that know nothing of zerogate, and a site where they are attached."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Process, Site, free_port

ROOT = Path(__file__).resolve().parents[2]
NODE_SERVER = str(ROOT / "tests" / "e2e" / "attached" / "server.js")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


class AttachSite(Site):
    """A router, and whatever is attached to it."""

    def attach(
        self, name: str, *words: str, port: int = 0, wait: bool = True, env: dict[str, str] | None = None
    ) -> Process:
        """A server of ours at a port, by options and a command; returns when it has joined."""
        url = f"http://127.0.0.1:{port or free_port()}"
        process = self.start("attach", url, "--name", name, "--connect", self.endpoint, *words, env=env)
        if wait:
            self.wait_joined(process)
        return process

    def node(self, name: str, *options: str, env: dict[str, str] | None = None, **keywords: Any) -> Process:
        """The Node.js server, started and attached."""
        return self.attach(name, *options, "--", "node", NODE_SERVER, env={"NAME": name, **(env or {})}, **keywords)


@contextlib.contextmanager
def make_attach_site(*options: str) -> Iterator[AttachSite]:
    site = AttachSite()
    try:
        site.router("--settle", "0s", *options)
        yield site
    finally:
        site.close()


PYTHON = sys.executable
