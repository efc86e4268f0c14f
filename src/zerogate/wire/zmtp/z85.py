"""Z85 (ZeroMQ RFC 32): keys as text that can be pasted anywhere, 32 octets in 40 characters."""

from typing import Final

from zerogate.errors import ZmtpError

KEY_BYTES: Final = 32
KEY_CHARACTERS: Final = 40

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_DIGITS: Final = {character: value for value, character in enumerate(_ALPHABET)}
_BASE: Final = len(_ALPHABET)


def encode_key(key: bytes) -> str:
    """A key as text. Raises ValueError if it is not of 32 octets."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} octets, not {len(key)}")
    words = (int.from_bytes(key[at : at + 4]) for at in range(0, KEY_BYTES, 4))
    return "".join(_ALPHABET[word // _BASE**place % _BASE] for word in words for place in (4, 3, 2, 1, 0))


def decode_key(text: str) -> bytes:
    """The key that a text means. Raises ZmtpError, which does not repeat the text: it may be a secret."""
    if len(text) != KEY_CHARACTERS:
        raise ZmtpError(f"a key has {KEY_CHARACTERS} characters, not {len(text)}")
    words = []
    for at in range(0, KEY_CHARACTERS, 5):
        word = 0
        for character in text[at : at + 5]:
            if character not in _DIGITS:
                raise ZmtpError("a key has a character that Z85 does not know")
            word = word * _BASE + _DIGITS[character]
        words.append(word)
    if max(words) > 0xFFFFFFFF:
        raise ZmtpError("a key has five characters that mean more than four octets")
    return b"".join(word.to_bytes(4) for word in words)
