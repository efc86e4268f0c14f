"""Who has come to the wrong port."""

from tests.support.each import each
from zerogate.link.strangers import FIRST_WORDS, stranger


@each(("words", "name"), FIRST_WORDS.items())
def test_those_we_know_are_called_by_name(words: bytes, name: str) -> None:
    assert stranger(words + b"and so on") == f"the peer speaks {name}, not ZMTP: one of us has the wrong port"


@each("words", [b"", b"G", b"GETTING", b"\xff\0\0", b"\x16"])
def test_others_are_nobody(words: bytes) -> None:
    assert stranger(words) == ""
