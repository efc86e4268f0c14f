"""docs/configuration.md, Completion: its lines in the shells that are here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, clean_environment

PAGE = (ROOT / "docs" / "configuration.md").read_text()
# What one types, and some of what a Tab would offer.
TYPED = {
    "zerogate ": {"router", "worker", "run", "config", "keys"},
    "zerogate ro": {"router"},
    "zerogate keys re": {"revoke"},
    "zerogate run --queue": {"--queue-timeout", "--queue-size", "--queue-bytes"},
    "zerogate run app:app --work": {"--workers"},
    "zerogate router --log-level ": {"debug", "info", "warning", "error", "critical"},
    "zerogate router --log-level w": {"warning"},
    "zerogate config wo": {"worker"},
}


def line_for(shell: str) -> str:
    """As it stands in the table."""
    (row,) = [row for row in PAGE.splitlines() if row.startswith(f"| {shell} ")]
    found = re.search(r"\| `([^`]*zerogate[^`]*)` \|$", row)
    assert found is not None
    return found[1].replace("\\|", "|")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a `zerogate` on the PATH, and a home that is empty."""
    command = tmp_path / "bin" / "zerogate"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m zerogate "$@"\n')
    command.chmod(0o755)
    (tmp_path / "home").mkdir()
    return clean_environment(
        PATH=f"{command.parent}{os.pathsep}{os.environ['PATH']}", HOME=str(tmp_path / "home"), TERM="dumb"
    )


def ask(shell: str, script: str, environment: dict[str, str], *options: str) -> set[str]:
    done = subprocess.run(
        [shell, *options, "-c", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=environment["HOME"],
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    # What fish says of each stands behind a tab.
    return {line.partition("\t")[0] for line in done.stdout.replace("\r", "").splitlines()}


needs = {shell: pytest.mark.skipif(not shutil.which(shell), reason=f"no {shell}") for shell in ("bash", "zsh", "fish")}


@needs["bash"]
@pytest.mark.parametrize("typed", TYPED)
def test_bash(typed: str, environment: dict[str, str]) -> None:
    words = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
{line_for("bash")}
COMP_WORDS=({quoted})
COMP_CWORD={len(words) - 1}
compopt() {{ :; }}  # there is no line that it could be for
$(complete -p zerogate | sed 's/.*-F \\([^ ]*\\).*/\\1/') zerogate
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    assert TYPED[typed] <= ask("bash", script, environment, "--norc", "--noprofile")


@needs["zsh"]
@pytest.mark.parametrize("typed", TYPED)
def test_zsh(typed: str, environment: dict[str, str]) -> None:
    # compadd is what hands over the candidates: -a names the arrays that they are in, _describe's are NAME:WORDS.
    script = f"""
autoload -Uz compinit && compinit -u -D
{line_for("zsh")}
compadd() {{ print -rl -- ${{(P)@[-1]}} }}
_describe() {{ local each; for each in ${{(P)3}}; do print -r -- ${{each%%:*}}; done }}
words=({" ".join(f"'{word}'" for word in typed.split(" "))})
CURRENT=${{#words}}
${{_comps[zerogate]}}
"""
    assert TYPED[typed] <= ask("zsh", script, environment, "-f")


@needs["fish"]
@pytest.mark.parametrize("typed", TYPED)
def test_fish(typed: str, environment: dict[str, str]) -> None:
    assert TYPED[typed] <= ask("fish", f"{line_for('fish')}\ncomplete -C '{typed}'", environment, "--no-config")
