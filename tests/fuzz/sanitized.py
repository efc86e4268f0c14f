"""The fuzzers and the codecs' tests with what is compiled watched over: `python -m tests.fuzz.sanitized`.

Builds a copy with AddressSanitizer and UndefinedBehaviorSanitizer (GCC's or Clang's, by CC), and stops at the first
octet that is read or written where it is nobody's. Objects come from malloc, so that each has its own bounds.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WANTED = ("src", "setup.py", "pyproject.toml", "README.md", "LICENSE")
# What Cython makes of a method without arguments adds nothing to a null pointer, which Clang counts as an overflow.
FLAGS = (
    "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=pointer-overflow"
    " -fno-sanitize-recover=all"
)
TESTS = (
    *("tests/unit/native", "tests/unit/wire", "tests/unit/worker", "tests/unit/link", "tests/unit/router"),
    *("tests/property", "tests/conformance"),
)


def build(folder: Path) -> Path:
    """Where the copy is that is watched over."""
    source = folder / "source"
    source.mkdir()
    for name in WANTED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info"))
        else:
            shutil.copy(path, source)
    site = folder / "site"
    arguments = ("-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(source))
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "CFLAGS": FLAGS, "LDFLAGS": "-fsanitize=address,undefined"},
        check=True,
    )
    return site


def environment(site: Path) -> dict[str, str]:
    """Who loads the copy needs the sanitizers' libraries before all others."""
    compiler = os.environ.get("CC", "gcc")
    libraries = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        # The interpreter itself leaves much to the end of the process.
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join((str(site), str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.sanitized", description=__doc__)
    parser.add_argument("--inputs", default="1000000", help="of codecs; a tenth of it of sessions, a hundredth of all")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--no-tests", action="store_true", help="the fuzzers alone")
    options = parser.parse_args()
    commands: list[tuple[str, ...]] = [
        ("tests.fuzz", "--inputs", options.inputs, "--seed", options.seed),
        ("tests.fuzz.session", "--steps", str(int(options.inputs) // 10), "--seed", options.seed),
        ("tests.fuzz.conversations", "--steps", str(int(options.inputs) // 100), "--seed", options.seed),
    ]
    if not options.no_tests:
        commands.append(("pytest", "-q", "-n", "0", "-m", "fast", "-p", "no:cacheprovider", *TESTS))
    with tempfile.TemporaryDirectory(prefix="zerogate-sanitized-") as name:
        found = environment(build(Path(name)))
        told = subprocess.run(
            [sys.executable, "-c", "import zerogate.native.compiled as c; print(c.__file__, c.KIND)"],
            env=found,
            cwd=name,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        print(told, flush=True)
        if not told.endswith(" native"):
            return 2
        for module, *arguments in commands:
            print(f"python -m {module} {' '.join(arguments)}", flush=True)
            if subprocess.run([sys.executable, "-m", module, *arguments], env=found, cwd=ROOT, check=False).returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
