"""The tests of `requests` itself, asked of httpbin as a WSGI worker:

    pip download --no-deps --no-binary :all: requests && tar xf requests-*.tar.gz
    pip install pytest-mock
    python -m tests.foreign.requests_suite requests-*/

What needs TLS, a proxy or an address outside is left out.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.foreign.httpbin_elsewhere import URL_VARIABLE
from tests.support.processes import make_site

# They speak to a host that is not there, or to a server of their own, or have no network at all.
LEFT_OUT = (
    "invalid_hostname",
    "proxy",
    "proxies",
    "connect_timeout",
    "total_timeout",
    "https",
    "tls",
    "ssl",
    "pyopenssl",
)


def main(folder: str) -> int:
    root = Path(__file__).resolve().parents[2]
    with make_site() as site:
        site.router("--settle", "0s")
        site.worker("httpbin", "httpbin", cwd=root)
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-ra", "-p", "httpbin_elsewhere"),
            *("-p", "no:pytest_httpbin", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"),
            *("-k", " and ".join(f"not {word}" for word in LEFT_OUT), "tests/test_requests.py"),
        ]
        environment = {
            **os.environ,
            URL_VARIABLE: f"http://127.0.0.1:{site.http_port}",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(folder, "src").resolve())]),
        }
        done = subprocess.run(command, cwd=folder, env=environment, check=False)
        print(f"requests at the router: {site.status()['counters']['requests']}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
