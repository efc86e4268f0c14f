# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The zlib stream of name/value blocks, as long as its blocks are stored (RFC 1951, 3.2.4), without zlib.

Taken: what consists of stored blocks to the last octet, from the beginning of the stream on. They end on a whole octet,
so there is never a doubt where the next begins. Declined: all else. With the first of that zlib takes over, for good:
nobody but zlib can tell where a compressed block ends. It is given the last 32 KiB of what was read without it, which
later blocks may refer to; before any block, and until 32 KiB have come, these are the dictionary's.
"""

import zlib

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp, memcpy

from zerogate.native.frames cimport MAX_BLOCK_BYTES, STORED_HEADER_BYTES, octets

# The header of a zlib stream with a dictionary (RFC 1950, 2.2): two octets, and the dictionary's checksum.
cdef enum:
    STREAM_HEADER_BYTES = 6

cdef bytes _dictionary = b""
cdef bytes _dictionary_id = b""


def set_dictionary(bytes dictionary not None):
    """wire/spdy/dictionary.py, DICTIONARY: what every stream begins from. What is compiled imports nothing."""
    global _dictionary, _dictionary_id
    _dictionary = dictionary
    _dictionary_id = zlib.adler32(dictionary).to_bytes(4, "big")


cdef class BlockReaderState:
    """What a reader knows: the window of what was read here, and zlib's object once that has taken over."""

    def __dealloc__(self):
        PyMem_Free(self.window)

    cdef bytes peek(self, octets data, Py_ssize_t size):
        """The raw block; None for what zlib must read. Nothing is changed before `commit`."""
        cdef Py_ssize_t at, stored, start = 0, total = 0
        cdef bytes raw
        cdef char* to
        if self._inflater is not None:
            return None
        if not self.has_begun:
            if size < STREAM_HEADER_BYTES or data[0] != 0x78 or not data[1] & 0x20 or ((0x78 << 8) | data[1]) % 31:
                return None
            if memcmp(data + 2, PyBytes_AS_STRING(_dictionary_id), 4):
                return None
            start = STREAM_HEADER_BYTES
        at = start
        while at < size:
            if size - at < STORED_HEADER_BYTES or data[at]:
                return None
            stored = data[at + 1] | (<Py_ssize_t>data[at + 2] << 8)
            if data[at + 3] != data[at + 1] ^ 0xFF or data[at + 4] != data[at + 2] ^ 0xFF:
                return None
            at += STORED_HEADER_BYTES
            if stored > size - at:
                return None
            at += stored
            total += stored
        if total > MAX_BLOCK_BYTES:
            return None
        raw = PyBytes_FromStringAndSize(NULL, total)
        to = PyBytes_AS_STRING(raw)
        at = start
        while at < size:
            stored = data[at + 1] | (<Py_ssize_t>data[at + 2] << 8)
            memcpy(to, data + at + STORED_HEADER_BYTES, stored)
            to += stored
            at += STORED_HEADER_BYTES + stored
        return raw

    cdef int commit(self, bytes raw) except -1:
        """What `peek` has given is read."""
        if not self.has_begun:
            self._begin()
        self._remember(<octets>PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
        return 0

    cdef int _begin(self) except -1:
        self.window = <unsigned char*>PyMem_Malloc(WINDOW_BYTES)
        if self.window == NULL:
            raise MemoryError
        self.has_begun = True
        self._remember(<octets>PyBytes_AS_STRING(_dictionary), PyBytes_GET_SIZE(_dictionary))
        return 0

    cdef void _remember(self, octets data, Py_ssize_t size) noexcept:
        cdef Py_ssize_t room
        if size > WINDOW_BYTES:
            data += size - WINDOW_BYTES
            size = WINDOW_BYTES
        room = WINDOW_BYTES - self.window_at
        if size < room:
            memcpy(self.window + self.window_at, data, size)
            self.window_at += size
        else:
            memcpy(self.window + self.window_at, data, room)
            memcpy(self.window, data + room, size - room)
            self.window_at = size - room
        self.window_used = min(self.window_used + size, <Py_ssize_t>WINDOW_BYTES)

    cdef bytes _take_window(self):
        """What may be referred to, the oldest first. It is zlib's from now on."""
        cdef bytes newest = PyBytes_FromStringAndSize(<char*>self.window, self.window_at)
        cdef bytes oldest = b""
        if self.window_used == WINDOW_BYTES:
            oldest = PyBytes_FromStringAndSize(<char*>self.window + self.window_at, WINDOW_BYTES - self.window_at)
        PyMem_Free(self.window)
        self.window = NULL
        return oldest + newest


cdef class StoredBlocks(BlockReaderState):
    """Before wire/spdy/headers.py, BlockReader."""

    def unwrap(self, data):
        """wire/spdy/headers.py, BlockReader.unwrap."""
        cdef bytes raw
        if type(data) is bytes:
            raw = self.peek(<octets>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            if raw is not None:
                self.commit(raw)
                return raw
        if self.has_begun and self._inflater is None:
            self._inflater = zlib.decompressobj(-15, self._take_window())
        return super().unwrap(data)


cdef class BlockWriterState:
    """`_prefix` is what the stream begins with, as long as it has not begun."""
