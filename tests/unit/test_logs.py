"""Logging: our own loggers, whole records, and files that say otherwise."""

import logging
import logging.config
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import clean_environment
from zerogate.errors import UsageError
from zerogate.logs import ROOT, LineFormatter, LineHandler, enable_loggers, reopen_log_files, set_up_logging
from zerogate.stamps import Stamps

SCRIPT = """
import logging
from zerogate.logs import set_up_logging
set_up_logging("info")
logger = logging.getLogger("zerogate.worker")
logger.info("x" * 20_000)
try:
    raise RuntimeError("\\n".join(str(number) for number in range(5_000)))
except RuntimeError:
    logger.exception("with all its lines")
logger.debug("not to be seen")
logger.info("Gru\\u00df \\udc80")
"""


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was, after a test that changes it in this process."""
    ours = logging.getLogger("zerogate")
    before = ours.level, ours.handlers[:], ours.propagate, logging.root.handlers[:], logging.root.level
    yield
    ours.level, ours.handlers[:], ours.propagate, logging.root.handlers[:], logging.root.level = before


def test_each_record_is_one_write() -> None:
    """Whatever its length: so that the lines of two processes do not mix."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs.fileno(), env=clean_environment())
        theirs.close()
        ours.settimeout(20)
        written = list(iter(lambda: ours.recv(1 << 20), b""))
        assert process.wait(20) == 0
    assert len(written) == 3
    assert [data.count(b"\n") > 5_000 for data in written] == [False, True, False]
    assert all(data.endswith(b"\n") for data in written)
    assert b" INFO    zerogate.worker: xxx" in written[0]
    assert b" ERROR   zerogate.worker: with all its lines\nTraceback" in written[1]
    assert written[2].endswith("Gruß \\udc80\n".encode())


@pytest.mark.usefixtures("restored")
def test_the_root_logger_is_left_alone() -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    set_up_logging("debug")
    set_up_logging("warning")
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
    ours = logging.getLogger("zerogate")
    assert [type(handler) for handler in ours.handlers] == [LineHandler]
    assert (ours.level, ours.propagate) == (logging.WARNING, False)


def test_times_are_written_as_in_the_access_log() -> None:
    made = logging.makeLogRecord({"created": 1_700_000_000.9996, "msg": "m", "name": "n", "levelname": "INFO"})
    assert LineFormatter().format(made) == f"{Stamps().stamp(1_700_000_000.9996)} INFO    n: m"


@pytest.mark.usefixtures("restored")
def test_a_record_that_cannot_be_made_is_not_fatal(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    logging.getLogger("zerogate").info("%d", "no number")
    logging.getLogger("zerogate").info("and on")
    assert "zerogate: and on\n" in capfd.readouterr().err


CONFIGS = {
    "log.json": """{"version": 1,
        "formatters": {"short": {"format": "JSON %(name)s %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": "log", "formatter": "short"}},
        "root": {"handlers": ["file"], "level": "INFO"}}""",
    "log.yaml": """
version: 1
formatters: {short: {format: "YAML %(name)s %(message)s"}}
handlers: {file: {class: logging.FileHandler, filename: log, formatter: short}}
loggers: {zerogate: {handlers: [file], level: INFO}}
""",
    "log.ini": """
[loggers]
keys=root
[handlers]
keys=file
[formatters]
keys=short
[logger_root]
handlers=file
level=INFO
[handler_file]
class=FileHandler
args=('log',)
formatter=short
[formatter_short]
format=INI %(name)s %(message)s
""",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_says_otherwise(name: str, tmp_path: Path) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    (tmp_path / name).write_text(CONFIGS[name])
    script = "import logging; from zerogate.logs import set_up_logging; early = logging.getLogger('zerogate.link');"
    script += f"set_up_logging('info', {name!r}); early.info('hello'); early.debug('not to be seen')"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=20, check=True)
    assert done.stderr == b""
    assert (tmp_path / "log").read_text() == f"{name.partition('.')[2].upper()} zerogate.link hello\n"


WRONG = {
    "missing.json": (None, "No such file"),
    "broken.json": ("{", "Expecting"),
    "list.json": ("[]", "not a dictionary"),
    "class.json": (
        '{"version": 1, "handlers": {"x": {"class": "no.such.Handler"}}}',
        "Unable to configure handler 'x'",
    ),
    "version.json": ("{}", "version"),
    "empty.ini": ("", "formatters"),
    "broken.ini": ("x", "no section headers"),
    "log.txt": ("", "write .json, .yaml or .ini"),
    "log": ("", "write .json, .yaml or .ini"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.usefixtures("restored")
def test_a_file_that_will_not_do(name: str, tmp_path: Path) -> None:
    text, said = WRONG[name]
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        set_up_logging("info", str(path))
    assert caught.value.reason.startswith(f"--log-config {path}: ")
    assert said in caught.value.reason
    assert "\n" not in caught.value.reason


@pytest.mark.usefixtures("restored")
def test_yaml_without_pyyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log.yaml").write_text(CONFIGS["log.yaml"])
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UsageError, match="PyYAML"):
        set_up_logging("info", str(tmp_path / "log.yaml"))


def test_an_application_s_own_set_up_does_not_silence_ours() -> None:
    ours, theirs = logging.getLogger("zerogate.logs_test"), logging.getLogger("zerogate_shop.logs_test")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig({"version": 1})
        assert ours.disabled
        assert theirs.disabled
        enable_loggers()
        assert not ours.disabled
        assert not ROOT.disabled
        assert theirs.disabled
    finally:
        root.handlers[:], root.level = handlers, level
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                logger.disabled = False


@pytest.fixture
def file_handler(tmp_path: Path) -> Iterator[logging.FileHandler]:
    handler = logging.FileHandler(tmp_path / "app.log")
    logger = logging.getLogger("an application's")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    handler.close()


def test_a_log_file_that_was_moved_away_is_opened_anew(file_handler: logging.FileHandler, tmp_path: Path) -> None:
    logger = logging.getLogger("an application's")
    logger.warning("one")
    reopen_log_files()
    logger.warning("two")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    logger.warning("three")
    reopen_log_files()
    logger.warning("four")
    assert (tmp_path / "app.log.1").read_text() == "one\ntwo\nthree\n"
    assert (tmp_path / "app.log").read_text() == "four\n"


def test_one_that_cannot_be_is_told_of_and_the_old_one_goes_on(
    file_handler: logging.FileHandler, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "app.log").rename(tmp_path / "moved")
    (tmp_path / "app.log").mkdir()
    reopen_log_files()
    assert "app.log cannot be opened anew: Is a directory" in caplog.text
    logging.getLogger("an application's").warning("still here")
    assert (tmp_path / "moved").read_text().endswith("still here\n")


def test_one_that_was_never_opened_is_left_alone(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "late.log", delay=True)
    logger = logging.getLogger("another application's")
    logger.addHandler(handler)
    reopen_log_files()
    logger.removeHandler(handler)
    assert not (tmp_path / "late.log").exists()
