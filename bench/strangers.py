"""What it costs others when strangers come to the link port: wrong keys and half-open handshakes, at a rate, while good
workers serve: `python bench/strangers.py` (see README.md).
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import contenders
import load
import parts
import scale
import usage
from contenders import Manner, Site
from crew import Crew
from failure import BenchError, exit_code_of
from service import Service, running
from table import Table

DESCRIPTION = """\
Have wrk ask a router with keys and two workers, while strangers come to its link port at a rate, each kind in turn, and
beside it nobody. Each stranger has an address of its own (of 127.0.0.0/8), so that what is told apart by addresses
bounds none of them. Any failed request makes the run fail.
"""

# What comes: nobody; whole handshakes with a key that is not listed; some that know another router's key, which are
# refused at the first box; and connections that say the first ten octets and then nothing.
KINDS = {
    "quiet": "nobody",
    "unlisted": "keys that are not listed",
    "mistaken": "another router's key",
    "half": "half open",
}
HANDSHAKE_S = 10.0


@dataclass
class Found:
    """One kind's rounds."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **values: float) -> None:
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def row(self, title: str) -> tuple[str, ...]:
        shown = [title]
        for name, form in (
            ("came", "{:,.0f}"),
            ("rps", "{:,.0f}"),
            ("p50", "{:.1f}"),
            ("p99", "{:.1f}"),
            ("cpu", "{:.1f}"),
        ):
            each = self.values[name]
            shown.append(f"{form.format(median(each))} ({form.format(min(each))}..{form.format(max(each))})")
        shown.append(f"{max(self.values['rss']):,.0f}")
        return tuple(shown)


# The strangers: this file again, as a process of its own


async def stranger(kind: str, port: int, number: int, router_key: bytes) -> None:
    """One of them, until it is turned away."""
    from zerogate.wire.zmtp import Connection, CurveClient, make_key_pair

    address = f"127.{1 + number % 250}.{number // 250 % 250}.{1 + number // 62_500 % 250}"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    except OSError:
        return
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            if kind == "half":
                writer.write(b"\xff" + bytes(8) + b"\x7f")
                await reader.read(-1)
                return
            server_key = make_key_pair().public if kind == "mistaken" else router_key
            mechanism = CurveClient(make_key_pair(), server_key)
            end = Connection(socket_type=b"DEALER", accepts=frozenset({b"ROUTER"}), mechanisms=[mechanism])
            while end.error is None:
                writer.write(end.take_output())
                data = await reader.read(65536)
                if not data:
                    return
                end.receive(data)
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


async def come(kind: str, port: int, rate: int, seconds: float, router_key: bytes) -> int:
    """So many a second, whatever becomes of them. Returns how many came."""
    loop = asyncio.get_running_loop()
    began, tasks, n = loop.time(), set(), 0
    while (passed := loop.time() - began) < seconds:
        while n < passed * rate:
            task = asyncio.create_task(stranger(kind, port, n, router_key))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            n += 1
        await asyncio.sleep(0.002)
    for task in tasks:
        task.cancel()
    return n


def strangers(arguments: Sequence[str]) -> int:
    from zerogate.wire.zmtp import decode_key

    kind, port, rate, seconds, router_key = arguments
    print(asyncio.run(come(kind, int(port), int(rate), float(seconds), decode_key(router_key))))
    return 0


# The measuring


def measure(service: Service, site: Site, kind: str, options: argparse.Namespace, router_key: str) -> dict[str, float]:
    (router,) = service.pids()["router"]
    argv = [sys.executable, __file__, "--strangers", kind, str(site.upstream_ports[0]), str(options.rate)]
    argv += [str(options.seconds), router_key]
    before_ns = usage.cpu_ns(router)
    with Crew() as crew:
        if kind != "quiet":
            crew.start("strangers", argv)
        clients = load.run({"zerogate": service.port}, scale.SAME, options.clients, options.seconds)["zerogate"]
        cpu_ns = usage.cpu_ns(router) - before_ns
        came = float(crew.finish("strangers")) if kind != "quiet" else 0.0
    service.check_alive()
    seconds = clients.duration_us / 1e6
    return {
        "came": came / options.seconds,
        "rps": clients.requests / seconds,
        "p50": clients.p50_us / 1000,
        "p99": clients.p99_us / 1000,
        "cpu": cpu_ns / 1000 / clients.requests,
        "rss": usage.rss_kib(router) / 1024,
    }


def run(options: argparse.Namespace) -> None:
    if lines := parts.missing([parts.WRK, parts.ZEROGATE]):
        raise BenchError("\n  ".join(("missing:", *lines)))
    found = {kind: Found() for kind in KINDS if kind in options.only}
    with tempfile.TemporaryDirectory(prefix="zerogate-bench-") as name:
        http, link = contenders.free_ports(2)
        site = Site(Path(name), http, (link,), Manner("tcp", forwards=True))
        commands, router_key = contenders.keyed(site, n_workers=2, bind=f"tcp://0.0.0.0:{link}")
        service = Service("zerogate", http, commands, Path(name))
        with running([service], scale.SAME.samples):
            measure(service, site, "quiet", options, router_key)  # to warm up
            for round_ in range(1, options.rounds + 1):
                for kind, each in found.items():
                    each.note(**measure(service, site, kind, options, router_key))
                    values = {key: round(value[-1], 1) for key, value in each.values.items()}
                    print(f"round {round_}, {kind}: {values}", file=sys.stderr, flush=True)
    print(f"{options.clients} clients, two workers, {options.rounds} rounds of {options.seconds} s")
    header = ("strangers", "a second", "requests/s", "p50 ms", "p99 ms", "router's CPU µs/request", "its MiB")
    rows = [each.row(KINDS[kind]) for kind, each in found.items()]
    print(Table("Strangers at the link port", header, rows).as_text())


def main() -> int:
    if sys.argv[1:2] == ["--strangers"]:
        return strangers(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="bench/strangers.py", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=500, help="strangers a second (default 500)")
    parser.add_argument("--clients", type=int, default=16, help="of wrk (default 16)")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each point (default 3)")
    parser.add_argument("--rounds", type=int, default=5, help="over all kinds (default 5)")
    parser.add_argument(
        "--only",
        default=",".join(KINDS),
        help=f"of {', '.join(KINDS)}, with commas between",
        type=lambda t: t.split(","),
    )
    return exit_code_of("bench/strangers.py", lambda: run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
