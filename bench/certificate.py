"""A certificate for the contenders, all of them the same one."""

import subprocess
from pathlib import Path

from failure import BenchError

COMMAND = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"


def make(directory: Path) -> Path:
    """A file with a key and its certificate, P-256 as most sites have today. Raises BenchError."""
    key, made, both = (directory / name for name in ("key.pem", "certificate.pem", "both.pem"))
    try:
        subprocess.run(
            [*COMMAND.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"no certificate: {error}") from error
    both.write_bytes(key.read_bytes() + made.read_bytes())
    return both
