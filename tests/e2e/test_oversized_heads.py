"""Heads that are within the client's limits, but not within a stream's once the router has added its fields."""

from tests.support.processes import Site


def test_a_head_that_does_not_fit_into_a_block_is_refused_and_the_worker_keeps_its_slot(site: Site) -> None:
    site.router()
    site.hello("only", "--concurrency", "1")
    fields = {f"x-{number}": "v" * 640 for number in range(99)}
    # 64 KiB on the wire are more in a block, where each field has two lengths of four bytes.
    room = 64 * 1024 - sum(len(name) + len(value) + 4 for name, value in fields.items())
    fields["x-0"] += "w" * (room - 200)
    status, reply, _ = site.get("/", headers=fields)
    assert (status, reply["zerogate-error"]) == (431, "too_large")
    assert site.get("/")[2] == b"Hello from only\n"
    assert site.status()["workers"][0]["in_flight"] == 0
