"""A worker for a server, and a router's end that asks it: all in the process of the test, on virtual time."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.http1_server import Script, Server, serving
from tests.support.router_end import RouterEnd, routers, working
from zerogate.worker.attach.host import AttachHost
from zerogate.worker.attach.pool import Pool
from zerogate.worker.service import Worker


class Scene:
    """`n_refused` is how often the server took no connection."""

    def __init__(self, server: Server, router: RouterEnd, idle_s: float) -> None:
        self.server = server
        self.router = router
        self.pool = Pool(server.target, idle_s)
        self.n_refused = 0
        self.host = AttachHost(self.pool, self._count)
        self.worker: Worker

    def _count(self) -> None:
        self.n_refused += 1


@contextlib.asynccontextmanager
async def attached(*scripts: Script, idle_s: float = 4.0, accepts: bytes = b"") -> AsyncIterator[Scene]:
    """A server that plays these scripts, attached."""
    with tempfile.TemporaryDirectory(prefix="zerogate-") as folder:
        async with serving(Path(folder), *scripts) as server, routers() as (router,):
            router.reply[b"accepts"] = accepts
            scene = Scene(server, router, idle_s)
            async with working(scene.host, [router], cancel_after=0.0) as worker:
                scene.worker = worker
                yield scene
            assert not scene.worker.calls
            scene.pool.close()
