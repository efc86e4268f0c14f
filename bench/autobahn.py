"""The Autobahn cases that take long: 9 (large messages), 12 and 13 (compression). `python bench/autobahn.py`.

The others are tests (tests/e2e/test_websocket.py). Needs `pip install kosoku`, and minutes; nothing is measured.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import contenders
import messages
from contenders import Manner, Site
from failure import BenchError, exit_code_of
from service import Command, Service, running

# Each has 480 s for all of its cases together: so they run in small groups.
GROUPS = (
    *(f"9.{n}.*" for n in range(1, 9)),
    *(f"12.{n}.*" for n in range(1, 6)),
    *(f"13.{n}.*" for n in range(1, 8)),
)


async def run_group(port: int, group: str) -> list[Any]:
    import kosoku

    try:
        return list(await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{port}/", [group]))
    except kosoku.FailureError as failure:
        return list(failure.results)


def is_good(result: Any) -> bool:
    return result.behavior.value in ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", default=GROUPS, help="such as 9.1.*")
    options = parser.parse_args()
    n_bad = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ports = contenders.free_ports(2)
        site = Site(Path(folder), ports[0], (ports[1],), Manner("tcp", forwards=False))
        router, worker = messages._zerogate(site)
        commands = [router, Command(worker.name, (*worker.argv, "--ws-deflate"))]
        with running([Service("zerogate", site.http_port, commands, Path(folder))], [messages.READY]):
            print("| group | cases | passed | not passed |", "| --- | --- | --- | --- |", sep="\n")
            for group in options.groups:
                results = asyncio.run(run_group(site.http_port, group))
                bad = [f"{result.case_id} {result.behavior.value}" for result in results if not is_good(result)]
                n_bad += len(bad)
                print(f"| {group} | {len(results)} | {len(results) - len(bad)} | {', '.join(bad) or '-'} |", flush=True)
    if n_bad:
        raise BenchError(f"{n_bad} cases have not passed")


if __name__ == "__main__":
    sys.exit(exit_code_of("autobahn.py", main))
