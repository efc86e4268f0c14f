"""Who has come to the wrong port, by its first words: a name says more to people than an octet."""

FIRST_WORDS = {
    b"\x16\x03": "TLS",
    b"SSH-": "SSH",
    **dict.fromkeys((b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PRI "), "HTTP"),
    b"HTTP/": "HTTP",
}


def stranger(first: bytes) -> str:
    """Who says this first, in words; empty if it is nobody that we know."""
    name = next((name for words, name in FIRST_WORDS.items() if first.startswith(words)), "")
    return f"the peer speaks {name}, not ZMTP: one of us has the wrong port" if name else ""
