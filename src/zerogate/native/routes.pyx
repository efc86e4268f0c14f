# cython: language_level=3, boundscheck=False, wraparound=False
"""What serves a host and a path (router/routes.py).

Taken: hosts but IPv6 addresses, and paths that begin with a slash. Declined: all else.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


cdef class PrefixesState:
    """Below router/routes.py, _Prefixes."""


cdef class TableState:
    """Below router/routes.py, CarefulTable."""


cdef class FastTable(TableState):
    """Before router/routes.py, CarefulTable."""

    def match(self, bytes host not None, bytes path not None):
        """router/routes.py, CarefulTable.match."""
        return self.find(host, path)

    cdef object find(self, bytes host, bytes path):
        cdef bytes name, below
        cdef PrefixesState prefixes
        if self.only is not None:
            return self.only
        if not path or path[0] != c"/":
            return super(FastTable, self).match(host, path)
        if self._hosts:
            name = _normal(host)
            if name is None:
                return super(FastTable, self).match(host, path)
            prefixes = self._hosts.get(name)
            found = None if prefixes is None else _longest(prefixes, path)
            if found is not None:
                return found
            if self._n_wildcards:
                below = name.partition(b".")[2]
                while below:
                    prefixes = self._hosts.get(b"*." + below)
                    found = None if prefixes is None else _longest(prefixes, path)
                    if found is not None:
                        return found
                    below = below.partition(b".")[2]
        return _longest(self._any_host, path)


cdef bytes _normal(bytes host):
    """wire/http/hosts.py, normalise_host. None for what may be an IPv6 address."""
    cdef const unsigned char* at = <const unsigned char*>PyBytes_AS_STRING(host)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(host), n
    cdef bint is_lower = True
    for n in range(size - 1, -1, -1):
        if at[n] == c"]":
            return None
        if at[n] == c":":
            size = n
            break
    for n in range(size):
        if at[n] == c"]":
            return None
        if c"A" <= at[n] <= c"Z":
            is_lower = False
    if size and at[size - 1] == c".":
        size -= 1
    if is_lower:
        return host if size == PyBytes_GET_SIZE(host) else PyBytes_FromStringAndSize(<const char*>at, size)
    return host[:size].lower()


cdef object _longest(PrefixesState prefixes, bytes path):
    """router/routes.py, _Prefixes.longest, of a path that begins with a slash."""
    cdef const char* at = PyBytes_AS_STRING(path)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(path), left = prefixes.depth, stop = 1
    if not left:
        return prefixes.targets.get(b"")
    while stop < size:
        if at[stop] == c"/":
            left -= 1
            if not left:
                break
        stop += 1
    while stop:
        found = prefixes.targets.get(path if stop == size else PyBytes_FromStringAndSize(at, stop))
        if found is not None:
            return found
        stop -= 1
        while stop and at[stop] != c"/":
            stop -= 1
    return prefixes.targets.get(b"")
