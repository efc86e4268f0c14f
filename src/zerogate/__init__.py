"""zerogate: a reverse proxy with no list of backends."""

__version__ = "0.1.0"
