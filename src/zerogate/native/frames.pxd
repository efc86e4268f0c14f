"""How SPDY/3.1 frames are laid out (wire/spdy/frames.py): the numbers, and words in the order of the network."""

from libc.string cimport memcpy

ctypedef const unsigned char* octets

cdef enum:
    HEADER_BYTES = 8
    SYN_STREAM = 0x80030001
    SYN_STREAM_BYTES = 10  # before its block
    SYN_REPLY = 0x80030002
    WINDOW_UPDATE = 0x80030009
    CONTROL_BIT = 0x80000000
    FIN = 1
    MAX_DATA_BYTES = 128 * 1024
    MAX_CONTROL_BYTES = 64 * 1024 + 1024

    # Deflate blocks that are stored (RFC 1951, 3.2.4), as wire/spdy/headers.py writes them.
    STORED_HEADER_BYTES = 5
    SYNC_FLUSH_BYTES = 5
    MAX_STORED_BYTES = 0xFFFF
    MAX_BLOCK_BYTES = 64 * 1024


cdef inline unsigned int get_word(octets at) noexcept:
    return (<unsigned int>at[0] << 24) | (<unsigned int>at[1] << 16) | (<unsigned int>at[2] << 8) | at[3]


cdef inline unsigned char* put_word(unsigned char* at, unsigned int word) noexcept:
    """Where the next word goes."""
    at[0] = word >> 24
    at[1] = (word >> 16) & 0xFF
    at[2] = (word >> 8) & 0xFF
    at[3] = word & 0xFF
    return at + 4


cdef inline unsigned char* put_stored(unsigned char* at, octets block, Py_ssize_t size) noexcept:
    """A block as a stored one and a flush, `size` at most MAX_STORED_BYTES. Where the next octet goes."""
    at[0] = 0
    at[1] = size & 0xFF
    at[2] = size >> 8
    at[3] = at[1] ^ 0xFF
    at[4] = at[2] ^ 0xFF
    memcpy(at + STORED_HEADER_BYTES, block, size)
    at += STORED_HEADER_BYTES + size
    at[0] = at[1] = at[2] = 0
    at[3] = at[4] = 0xFF
    return at + SYNC_FLUSH_BYTES
