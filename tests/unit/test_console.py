"""What is said, and what is shown."""

import io
import sys

import pytest

from zerogate.console import OutputError, say, show


def test_what_is_said_is_lines_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    say("one", "zwölf \udc80")
    say()
    assert capfd.readouterr() == ("", "one\nzwölf \\udc80\n")


def test_what_is_shown_is_a_line_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    show("one\ntwo")
    assert capfd.readouterr() == ("one\ntwo\n", "")


class Failing(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def flush(self) -> None:
        raise self._error


def test_what_cannot_be_shown_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match=r"^cannot write to standard output: No space left on device$"):
        show("one")


def test_a_reader_who_has_had_enough_is_no_such_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError(32, "Broken pipe")))
    with pytest.raises(BrokenPipeError):
        show("one")
