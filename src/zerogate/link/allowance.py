"""How often a peer may do what nobody in his right mind does often."""

# SETTINGS. Ours says them for each request that comes free while another router waits for it, which takes a round trip
# each time: some thousands a second, of an application that is quick and takes one at a time.
SETTINGS_BURST = 10_000
SETTINGS_PER_S = 10_000.0


class Allowance:
    """So many at once, and so many more each second. Knows no clock: times are in seconds, of any one."""

    __slots__ = ("_burst", "_left", "_per_second", "_then")

    def __init__(self, burst: int, per_second: float, now: float) -> None:
        self._burst = self._left = float(burst)
        self._per_second = per_second
        self._then = now

    def spend(self, now: float) -> bool:
        """Do it once more. False if that is too often."""
        self._left = min(self._burst, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
