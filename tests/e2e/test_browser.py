"""A browser, Chromium without a screen, on a page over TLS with a certificate of a local authority."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser_app import UPLOAD_BYTES
from tests.support.certificates import Authority
from tests.support.commands import ROOT
from tests.support.processes import Site, free_port, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

OPTIONS = "--headless=new --disable-gpu --no-first-run --disable-extensions --no-proxy-server --disable-dev-shm-usage"


def trust(authority: Authority, home: Path) -> None:
    """As a person does who has an authority of their own: in the list of certificates below HOME."""
    folder = home / ".pki" / "nssdb"
    folder.mkdir(parents=True)
    for command in ("-N --empty-password", f"-A -n local -t C,, -i {authority.path}"):
        subprocess.run(["certutil", "-d", f"sql:{folder}", *command.split()], check=True, capture_output=True)


@pytest.mark.skipif(not (CHROMIUM and shutil.which("certutil")), reason="no Chromium, or no certutil (libnss3-tools)")
def test_a_page_with_everything(site: Site, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    authority = Authority(tmp_path)
    files = authority.issue("localhost")
    trust(authority, tmp_path)
    port = free_port()
    site.router("--https", f"127.0.0.1:{port}", "--tls-cert", files.certificate, "--tls-key", files.key)
    site.worker("tests.e2e.browser_app:app", "w", cwd=ROOT)
    as_root = [] if os.geteuid() else ["--no-sandbox"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    log = (tmp_path / "chromium.log").open("wb")
    browser = subprocess.Popen(
        [CHROMIUM, *OPTIONS.split(), *as_root, profile, f"https://localhost:{port}/"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    try:

        def told() -> Any:
            assert browser.poll() is None, (tmp_path / "chromium.log").read_text(errors="replace")
            return json.loads(site.get("/told")[2])

        wait_for(told, "what the page has to say", 60)
        assert told() == {
            "secure": True,
            "websocket": 70000,
            "events": ["0", "1", "2"],
            "upload": str(UPLOAD_BYTES),
        }
    finally:
        browser.terminate()
        browser.wait(30)
        log.close()
