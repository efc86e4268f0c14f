"""A site whose router has keys, and takes workers on an address that others could reach as well."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.chaos import APP, ROOT, ChaosSite
from tests.support.processes import Process, clean_environment


class KeyedSite(ChaosSite):
    """`keys` is the router's folder."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="zerogate-keys-")
        self.keys = Path(self._folder.name) / "keys"
        self.run_keys("router")

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    def run_keys(self, *words: str) -> str:
        """`zerogate keys ...` on this site's folder: what it shows."""
        done = subprocess.run(
            [sys.executable, "-m", "zerogate", "keys", *words, "--keys", str(self.keys)],
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    @property
    def open_endpoint(self) -> str:
        """Its link port, on every address."""
        return f"tcp://0.0.0.0:{self.link_port}"

    def keyed_router(self, *options: str, wait: bool = True, keys: Path | None = None) -> Process:
        """One that anybody could reach, without --insecure."""
        process = self.start(
            "router",
            *("--http", f"127.0.0.1:{self.http_port}", "--admin", f"127.0.0.1:{self.admin_port}"),
            *("--bind", self.open_endpoint, "--keys", str(keys or self.keys)),
            *("--settle", "0s", "--access-log", "off", *self.router_options(*options)),
        )
        if wait:
            process.wait_output("Ctrl-C stops")
        return process

    def paste_of(self, name: str, *routes: str) -> str:
        """The command line that a new worker's machine is given."""
        options = [word for route in routes for word in ("--route", route)]
        return self.run_keys("worker", name, "--connect", self.endpoint, *options)

    def paste(self, line: str, *options: str, app: str = APP, name: str = "", wait: bool = True) -> Process:
        """Do what the line says, with an application for APP."""
        variables = dict(re.findall(r"^(\w+)=('[^']*'|\S+)", line))
        words = shlex.split(line.partition(" zerogate ")[2])
        words[words.index("APP")] = app
        name = name or words[words.index("--name") + 1]
        env = {key: shlex.split(value)[0] for key, value in variables.items()}
        process = self.start(
            *words,
            *options,
            cwd=ROOT,
            env={**env, "CHAOS_NAME": name, "CHAOS_DIR": str(self.directory), "PATH": os.environ["PATH"]},
        )
        if wait:
            self.wait_joined(process)
        return process


@contextlib.contextmanager
def keyed_site() -> Iterator[KeyedSite]:
    site = KeyedSite()
    try:
        yield site
    finally:
        site.close()
