# cython: language_level=3
"""What all of this room asks of octets. Nothing here looks beyond the size that it is given."""

from libc.string cimport memcpy
from libc.stdint cimport uint32_t, uint64_t

ctypedef const unsigned char* octets

cdef enum:
    TAB = 0x09
    LF = 0x0A
    CR = 0x0D
    SPACE = 0x20
    DEL = 0x7F


cdef inline uint32_t read_word(octets at) noexcept:
    """Four octets as a number, the highest first."""
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]


cdef inline octets read_string(octets* at, Py_ssize_t* left, Py_ssize_t* size) noexcept:
    """A string with its length before it: where it is, `size` of it; `at` and `left` go behind it. NULL if it is not
    all there."""
    cdef octets text
    # Compared without a sign: where a Py_ssize_t has 32 bits, the largest lengths would be less than none.
    if left[0] < 4 or read_word(at[0]) > <size_t>(left[0] - 4):
        return NULL
    size[0] = read_word(at[0])
    text = at[0] + 4
    at[0] = text + size[0]
    left[0] -= 4 + size[0]
    return text


cdef inline unsigned char* write_word(unsigned char* at, uint32_t word) noexcept:
    """A number as four octets; returns where they end."""
    at[0] = word >> 24
    at[1] = (word >> 16) & 0xFF
    at[2] = (word >> 8) & 0xFF
    at[3] = word & 0xFF
    return at + 4


cdef inline unsigned char* write_string(unsigned char* at, const void* text, uint32_t size) noexcept:
    """A string with its length before it; returns where it ends."""
    at = write_word(at, size)
    memcpy(at, text, size)
    return at + size


cdef inline bint is_text(octets at, Py_ssize_t size) noexcept:
    """wire/fields.py, is_value: whether there is no control character but HTAB, and no DEL."""
    cdef uint64_t word, low, del_
    cdef Py_ssize_t n = 0, m
    # Eight at a time: any octet below 0x20, or like 0x7F, shows in its highest bit. Which one it is, the loop sees.
    while n + 8 <= size:
        memcpy(&word, at + n, 8)
        low = (word - <uint64_t>0x2020202020202020) & ~word
        del_ = word ^ <uint64_t>0x7F7F7F7F7F7F7F7F
        del_ = (del_ - <uint64_t>0x0101010101010101) & ~del_
        if (low | del_) & <uint64_t>0x8080808080808080:
            for m in range(n, n + 8):
                if (at[m] < SPACE and at[m] != TAB) or at[m] == DEL:
                    return False
        n += 8
    while n < size:
        if (at[n] < SPACE and at[n] != TAB) or at[n] == DEL:
            return False
        n += 1
    return True


cdef inline long long read_number(octets at, Py_ssize_t size) noexcept:
    """A number of 1 to 18 decimal digits; -1 if it is none."""
    cdef long long number = 0
    cdef Py_ssize_t n
    if size < 1 or size > 18:
        return -1
    for n in range(size):
        if at[n] < c"0" or at[n] > c"9":
            return -1
        number = number * 10 + (at[n] - c"0")
    return number


cdef inline bint is_like(octets at, Py_ssize_t size, const char* lower, Py_ssize_t lower_size) noexcept:
    """Whether this is a word of letters and hyphens, in whatever case."""
    cdef Py_ssize_t n
    if size != lower_size:
        return False
    for n in range(size):
        if (at[n] | 0x20 if c"A" <= at[n] <= c"Z" else at[n]) != <unsigned char>lower[n]:
            return False
    return True
