"""Keys: workers from anywhere, with one paste each, and nobody else."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.support.keyed_site import KeyedSite, keyed_site
from tests.support.load import Clients, Load, get
from tests.support.processes import wait_for
from tests.support.tcp_proxy import TcpProxy

MARKER = "a-marker-that-nobody-on-the-way-may-read"


@pytest.fixture
def site() -> Iterator[KeyedSite]:
    with keyed_site() as made:
        yield made


@pytest.mark.parametrize("processes", ["1", "2"])
def test_three_pastes(site: KeyedSite, processes: str) -> None:
    """A router that everybody can reach, and two workers: none of it needs --insecure."""
    site.keyed_router("--processes", processes)
    for name, route in (("api", "a.example/api"), ("rest", "*")):
        site.paste(site.paste_of(name, route))
    site.wait_workers(2)
    served = {worker["name"]: worker["key"] for worker in site.status()["workers"]}
    assert served == {"api": "api", "rest": "rest"}

    def are_everywhere() -> bool:
        return all(len(worker.get("processes", "1")) == int(processes) for worker in site.status()["workers"])

    wait_for(are_everywhere, "each process has both")
    assert site.get("/echo/x", headers={"host": "a.example"})[2].endswith(b" rest\n")


def test_no_key_no_way_in(site: KeyedSite) -> None:
    router = site.keyed_router()
    worker = site.hello("nobody", wait=False)
    worker.wait_output("security mechanism is 'CURVE', ours is 'NULL'")
    router.wait_output("security mechanism is 'NULL', ours is 'CURVE'")
    assert site.status()["workers"] == []


def test_without_keys_an_open_port_is_refused_with_what_to_do(site: KeyedSite) -> None:
    process = site.start("router", "--bind", site.open_endpoint, env={"XDG_CONFIG_HOME": "/nowhere"})
    assert process.popen.wait(30) == 2
    assert "`zerogate keys router` makes keys" in process.output()


def test_the_wrong_router_key_and_a_key_that_is_not_listed(site: KeyedSite) -> None:
    router = site.keyed_router()
    line = site.paste_of("web")
    right = line.partition("--router-key ")[2].split()[0]
    with contextlib.ExitStack() as stack:
        other = KeyedSite()
        stack.callback(other.close)
        wrong = other.paste_of("web").partition("--router-key ")[2].split()[0]
    mistaken = site.paste(line.replace(right, wrong), wait=False)
    mistaken.wait_output("its key is another one than the router key given here")
    router.wait_output("knows another router key")
    mistaken.terminate()
    site.run_keys("revoke", "web")
    revoked = site.paste(line, wait=False)
    revoked.wait_output("this key is not listed there")
    router.wait_output("the peer's key is not listed here")


def test_a_key_is_for_its_routes_and_both_logs_say_so(site: KeyedSite) -> None:
    router = site.keyed_router()
    line = site.paste_of("web", "a.example")
    worker = site.paste(line.replace("--route a.example", "--route b.example"), wait=False)
    reason = "the key web may not serve b.example: it is for a.example"
    worker.wait_output(reason)
    router.wait_output(reason)
    assert site.status()["workers"] == []
    assert reason in [refusal["reason"] for refusal in site.status()["refusals"]]


def test_revoking_under_load(site: KeyedSite) -> None:
    """Its links end within a second, and what it had is sent to the others by the rules."""
    site.keyed_router()
    for name in ("one", "two"):
        site.paste(site.paste_of(name))
    site.wait_workers(2)
    with Load(site.http_port, [Clients(get, 16)]) as load:
        load.wait_ok(200)
        site.run_keys("revoke", "one")
        wait_for(lambda: len(site.status()["workers"]) == 1, "one has gone")
        load.wait_ok(200)
    assert load.report.is_clean, load.report
    assert [worker["name"] for worker in site.status()["workers"]] == ["two"]


def test_the_router_key_is_changed_and_nobody_is_lost(site: KeyedSite) -> None:
    router = site.keyed_router()
    old = site.paste_of("old")
    site.paste(old)
    new_key = site.run_keys("rotate", "router").strip()
    new = site.paste_of("new")
    assert new_key in new
    site.paste(new)
    site.wait_workers(2)
    n_read = router.output().count("keys read")
    site.run_keys("rotate", "router", "--finish")
    router.wait_output("keys read", times=n_read + site.router_processes)
    late = site.paste(old, name="late", wait=False)
    late.wait_output("its key is another one")
    site.wait_workers(2)


def test_a_mistake_in_the_list_keeps_the_old_one(site: KeyedSite) -> None:
    router = site.keyed_router()
    line = site.paste_of("web")
    router.wait_output("1 on the list", times=site.router_processes)
    path = site.keys / "workers"
    path.write_text(path.read_text() + "nonsense\n")
    router.wait_output("line 3: a line has KEY NAME ROUTE", times=site.router_processes)
    site.paste(line)
    site.wait_workers(1)


def test_the_admin_port_beyond_this_machine_asks_for_a_token(site: KeyedSite) -> None:
    refused = site.start("router", "--admin", f"0.0.0.0:{site.admin_port}")
    assert refused.popen.wait(30) == 2
    assert "--admin-token" in refused.output()
    site.keyed_router("--admin", f"0.0.0.0:{site.admin_port}", "--admin-token", "secret")
    admin = f"127.0.0.1:{site.admin_port}"
    without = site.start("status", "--admin", admin)
    assert without.popen.wait(30) == 2
    assert "asks for its --admin-token" in without.output()
    shown = site.start("status", "--admin", admin, env={"ZEROGATE_ADMIN_TOKEN": "secret"})
    assert shown.popen.wait(30) == 0
    assert "No worker is here" in shown.output()


def test_half_open_links_keep_no_worker_out(site: KeyedSite) -> None:
    """Many more than --max-links connect and say nothing: a worker comes in, and the router takes no more of them."""
    router = site.keyed_router("--max-links", "20")
    site.paste(site.paste_of("first"))
    silent = [socket.create_connection(("127.0.0.1", site.link_port)) for _ in range(60)]
    try:
        before_kib = site.router_kib(router)
        site.paste(site.paste_of("second"))
        site.wait_workers(2)
        wait_for(lambda: site.status()["links"] <= 20, "no more of them")
        assert site.router_kib(router) - before_kib < 20 * 1024
    finally:
        for sock in silent:
            sock.close()


def test_nothing_can_be_read_on_the_way(site: KeyedSite) -> None:
    site.keyed_router()
    with TcpProxy(site.link_port, records=True) as way:
        line = site.paste_of("web").replace(str(site.link_port), str(way.port))
        site.paste(line)
        assert MARKER.encode() in site.get(f"/echo/{MARKER}", method="POST", body=MARKER * 10)[2]
        assert len(way.recorded) > 2 * len(MARKER)
        assert MARKER.encode() not in way.recorded
