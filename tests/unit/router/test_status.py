"""The snapshot that `/status` answers."""

import json

from tests.support.bench import Bench
from tests.support.virtual_time import run_virtually
from zerogate.router.status import status_of


def test_a_router_at_work() -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w-1", "/a", "/b", capacity=1)
            bench.peer()
            refused = bench.peer()
            await bench.quiet()
            refused.join("no name")
            await bench.quiet()
            asks = [bench.ask("memory", target=target) for target in (b"/a", b"/b", b"/unknown")]
            await bench.wait(10.0)
            now = bench.loop.time()
            status = status_of("r", now - 12.34, now, bench.desk, bench.dispatcher, bench.links)
            assert json.loads(json.dumps(status))["router"] == "r"
            assert (status["uptime_s"], status["is_stopping"], status["clients"]) == (12.3, False, 1)
            # Links that joined too late are gone.
            assert (status["links"], status["waiting"]) == (1, 1)
            (row,) = status["workers"]
            joined_s, bytes_in, bytes_out = (row.pop(key) for key in ("joined_s", "bytes_in", "bytes_out"))
            assert 9.0 <= joined_s <= 11.0
            assert (bytes_in, bytes_out) == (worker.link.bytes_in, worker.link.bytes_out)
            assert row == {
                "name": "w-1",
                "id": "",
                "peer": "198.51.100.7:40000",
                "key": "",
                "software": "test/1",
                "state": "up",
                "routes": ["/a", "/b"],
                "has_pulse": False,
                "labels": {},
                "weight": 100,
                "share": None,
                "sticky": "",
                "capacity": 1,
                "in_flight": 1,
                "tunnels": 0,
                "event_streams": 0,
                "served": 1,
                "failures": 0,
            }
            assert status["routes"] == [
                {"route": "/a", "workers": 1, "waiting": 0},
                {"route": "/b", "workers": 1, "waiting": 1},
            ]
            assert "worker 'no name'" in status["refusals"][0]["reason"]
            assert [refusal["reason"] for refusal in status["refusals"][1:]] == ["no JOIN in time"] * 2
            assert (status["counters"]["requests"], status["counters"]["errors"]) == (3, {"no_route": 1})
            for ask in asks[:2]:
                ask.leave()
            bench.desk.stop()
            assert status_of("r", now, now, bench.desk, bench.dispatcher, bench.links)["is_stopping"]

    run_virtually(main())
