import hashlib
import zlib

from zerogate.wire.spdy.dictionary import DICTIONARY


def test_it_is_the_one_that_every_peer_has() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    assert hashlib.sha256(DICTIONARY).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"
