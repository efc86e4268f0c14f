"""Who may come in: by a key, or without one, and what becomes of those who are here when the keys change."""

from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.virtual_time import run_virtually
from zerogate.errors import UsageError
from zerogate.keys.files import WORKERS, make_router_key
from zerogate.keys.key_list import Entry, add_entry, remove_entry
from zerogate.router.admission import REFRESH_S, Admission
from zerogate.settings import RouterSettings
from zerogate.wire.http.join import Join, JoinError, pulse_fields
from zerogate.wire.http.routes import parse_route
from zerogate.wire.zmtp import CurveServer, make_key_pair

PAIR = make_key_pair()
API = parse_route("example.org/api")
ENTRY = Entry(PAIR.public, "web", (API,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_router_key(tmp_path)
    add_entry(tmp_path / WORKERS, ENTRY)
    return tmp_path


@pytest.mark.parametrize(
    ("has_keys", "is_local", "insecure", "names"),
    [
        (False, True, False, [b"NULL"]),
        (False, False, True, [b"NULL"]),
        (True, True, False, [b"CURVE", b"NULL"]),
        (True, False, False, [b"CURVE"]),
        (True, False, True, [b"CURVE", b"NULL"]),
    ],
)
def test_what_a_port_takes(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_keys: bool,
    is_local: bool,
    insecure: bool,
    names: list[bytes],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "nothing"))

    async def main() -> None:
        settings = RouterSettings(keys=str(folder) if has_keys else "", insecure=insecure)
        admission = Admission(settings, lambda: None)
        assert admission.has_keys is has_keys
        assert [one.name for one in admission.mechanisms(is_local=is_local)] == names
        admission.close()

    run_virtually(main())


def test_a_folder_without_keys_is_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="there is no router key"):
            Admission(RouterSettings(keys=str(tmp_path)), lambda: None)

    run_virtually(main())


def test_a_key_is_for_its_routes(folder: Path) -> None:
    async def main() -> None:
        admission = Admission(RouterSettings(keys=str(folder)), lambda: None)
        assert admission.check(PAIR.public, [API]) == "web"
        assert admission.check(b"", [parse_route("*")]) == ""
        for routes in ([parse_route("*")], [API, parse_route("example.org")]):
            with pytest.raises(JoinError, match="may not serve") as caught:
                admission.check(PAIR.public, routes)
            assert caught.value.status == 403
        with pytest.raises(JoinError, match="revoked"):
            admission.check(make_key_pair().public, [API])
        admission.close()

    run_virtually(main())


def test_who_was_put_on_the_list_just_now_comes_in_and_who_was_taken_off_goes(folder: Path) -> None:
    async def main() -> None:
        n_changes = 0

        def note() -> None:
            nonlocal n_changes
            n_changes += 1

        admission = Admission(RouterSettings(keys=str(folder)), note)
        (curve,) = admission.mechanisms(is_local=False)
        assert isinstance(curve, CurveServer)
        new = make_key_pair()
        assert not curve._is_listed(new.public)
        path = folder / WORKERS
        (folder / "other").write_text(Entry(new.public, "new", (API,)).line())
        (folder / "other").replace(path)
        assert curve._is_listed(PAIR.public), "nobody has looked"
        assert curve._is_listed(new.public)
        assert n_changes == 1
        assert not curve._is_listed(PAIR.public)
        admission.close()

    run_virtually(main())


def test_a_join_beyond_its_key_is_refused_and_one_within_is_named(folder: Path) -> None:
    async def main() -> None:
        async with Bench.open(keys=str(folder)) as bench:
            peer = bench.peer()
            await bench.quiet()
            peer.link.peer_key = PAIR.public
            peer.join("w", "example.com")
            await bench.quiet()
            assert peer.join_replies[-1][b":status"] == b"403"
            assert b"may not serve example.com" in peer.join_replies[-1][b"reason"]
            assert bench.links.refusals[-1]["reason"].startswith("the key web may not serve")
            peer.join("w", "example.org/api")
            await bench.quiet()
            (worker,) = [worker for worker in bench.links.workers.values() if worker]
            assert worker.key_name == "web"
            peer.join("w", "*")
            await bench.quiet()
            assert peer.join_replies[-1][b":status"] == b"403"
            assert [pool.route for pool in worker.pools] == [API], "what it had stays"

    run_virtually(main())


def test_who_is_revoked_goes_and_others_stay(folder: Path) -> None:
    async def main() -> None:
        other = Entry(make_key_pair().public, "other", (parse_route("*"),))
        add_entry(folder / WORKERS, other)
        async with Bench.open(keys=str(folder)) as bench:
            peers = {}
            for key in (PAIR.public, other.key, b""):
                peers[key] = peer = bench.peer()
                await bench.quiet()
                peer.link.peer_key = key
                peer.join("w", "example.org/api")
            await bench.quiet()
            opening = bench.peer()
            await bench.quiet()
            opening.link.peer_key = PAIR.public
            remove_entry(folder / WORKERS, "web")
            await bench.wait(3 * REFRESH_S)
            assert peers[PAIR.public].link.is_closed
            assert opening.link.is_closed
            assert not peers[other.key].link.is_closed
            assert not peers[b""].link.is_closed
            assert any("revoked" in refusal["reason"] for refusal in bench.links.refusals)

    run_virtually(main())


def test_a_key_that_is_called_otherwise_is_so_everywhere(folder: Path) -> None:
    async def main() -> None:
        async with Bench.open(keys=str(folder)) as bench:
            peer, opening = bench.peer(), bench.peer()
            await bench.quiet()
            peer.link.peer_key = opening.link.peer_key = PAIR.public
            peer.join("w", "example.org/api")
            await bench.quiet()
            path = folder / WORKERS
            path.write_text(path.read_text().replace(" web ", " shop "))
            await bench.wait(3 * REFRESH_S)
            assert [worker.key_name for worker in bench.links.workers.values() if worker] == ["shop"]

    run_virtually(main())


def test_a_pulse_of_another_key_is_nobodys(folder: Path) -> None:
    async def main() -> None:
        async with Bench.open(keys=str(folder)) as bench:
            worker = bench.peer()
            await bench.quiet()
            worker.link.peer_key = PAIR.public
            worker.say_join(Join("w", [API], id="process").fields())
            await bench.quiet()
            for key, status in ((b"", b"404"), (PAIR.public, b"200")):
                pulse = bench.peer()
                await bench.quiet()
                pulse.link.peer_key = key
                pulse.say_join(pulse_fields("process"))
                await bench.quiet()
                assert pulse.join_replies[-1][b":status"][:3] == status

    run_virtually(main())


def test_so_many_links_by_one_key(folder: Path) -> None:
    async def main() -> None:
        async with Bench.open(keys=str(folder), max_links_per_key=2) as bench:
            peers = []
            for _ in range(3):
                peers.append(peer := bench.peer())
                await bench.quiet()
                peer.link.peer_key = PAIR.public
                peer.join("w", "example.org/api")
                await bench.quiet()
            assert [peer.join_replies[-1][b":status"][:3] for peer in peers] == [b"200", b"200", b"503"]
            assert b"--max-links-per-key" in peers[-1].join_replies[-1][b"reason"]
            await bench.worker("without", "*")
            peers[0].die()
            await bench.quiet()
            peers[-1].join("w", "example.org/api")
            await bench.quiet()
            assert peers[-1].join_replies[-1][b":status"].startswith(b"200")

    run_virtually(main())
