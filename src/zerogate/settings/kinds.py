"""What an option's value can be: how it is written, how it is read, and how far it may go."""

import math
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from zerogate.errors import UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

# Eighteen digits are more than any setting means, and fewer than make int() and float() give up; a fraction has as many
# as repr() writes.
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,30})?)\s*(ms|s|m|h)?", re.ASCII)
_DURATION_UNITS = {"s": 1.0, "m": 60.0, "h": HOUR_S, None: 1.0}
_SIZE = re.compile(r"(\d{1,18})\s*(?:([kmg])(?:i?b)?|b)?", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {"k": KIB, "m": MIB, "g": GIB, None: 1}
_COUNT = re.compile(r"\d{1,18}", re.ASCII)
_PERCENTAGE = re.compile(r"(\d{1,18}(?:\.\d{1,30})?)\s*%?", re.ASCII)

# Also accepted where 0 means off; and how off is shown.
OFF_WORD = "off"
# Where a number may be found out.
AUTO_WORD = "auto"


class Kind:
    """Reads, checks and shows the values of one kind of option. What is refused raises UsageError, with the reason.

    `parse(show(value)) == value` for every value that passes `check`.
    """

    def metavar(self) -> str:
        """What stands for the value in help."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The checked value of a text."""
        return self.check(self.read(text))

    def read(self, text: str) -> Any:
        """The value of a text, in range or not."""
        return text

    def check(self, value: Any) -> Any:
        """The value as it is to be used: 0 as what stands for off, a list as a tuple."""
        return value

    def take(self, value: Any) -> Any:
        """The checked value of one in a file of options (TOML), which has types of its own."""
        return self.parse(value) if isinstance(value, str) else self.check(value)

    def show(self, value: Any) -> str:
        """The value as one would write it."""
        return str(value)

    def range(self) -> str:
        """How far it may go, in words; "" if any text will do."""
        return ""


@dataclass(frozen=True)
class Number(Kind):
    """From `low` to `high`. What 0 means is `zero`; or `off`: then it is allowed whatever `low` is, and becomes OFF."""

    low: float
    high: float
    off: str = ""
    zero: str = ""

    OFF: ClassVar[Any]
    TYPES: ClassVar[Any] = int
    METAVAR: ClassVar[str]
    WRONG: ClassVar[str]

    def metavar(self) -> str:
        return self.METAVAR

    def parse(self, text: str) -> Any:
        return self.OFF if self.off and text.strip().lower() == OFF_WORD else super().parse(text)

    def check(self, value: Any) -> Any:
        if self.off and not isinstance(value, bool) and value in (0, self.OFF):
            return self.OFF
        if isinstance(value, bool) or not isinstance(value, self.TYPES):
            raise UsageError(self.WRONG)
        if value > self.high:
            raise UsageError(f"at most {self.show(self.high)}")
        if not value >= self.low:  # so that it is true of nan
            raise UsageError(f"at least {self.show(self.low)}" + (f", or 0: {self.off}" if self.off else ""))
        return value

    def show(self, value: Any) -> str:
        return OFF_WORD if self.off and value == self.OFF else self.show_number(value)

    def show_number(self, value: Any) -> str:
        return str(value)

    def range(self) -> str:
        return f"{self.show_number(self.low)} to {self.show_number(self.high)}"


class Duration(Number):
    """Seconds, as a float. Off is infinite: `now + math.inf` is never reached, so that nobody has to ask."""

    METAVAR = "DURATION"
    OFF = math.inf
    TYPES = (int, float)
    WRONG = "not a duration: write seconds, or a number with ms, s, m or h"

    def read(self, text: str) -> float:
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise UsageError(self.WRONG)
        # Not `* 0.001`: 700 ms would be 0.7000000000000001 s.
        return float(match[1]) / 1000 if match[2] == "ms" else float(match[1]) * _DURATION_UNITS[match[2]]

    def check(self, value: Any) -> Any:
        return float(super().check(value))

    def show_number(self, value: Any) -> str:
        if value >= DAY_S and value % HOUR_S == 0:
            return f"{value / HOUR_S:g}h"
        text = f"{value * 1000:g}ms" if 0 < value < 1 else f"{value:g}s"
        # Six digits say it for people, unless it has more.
        return text if _DURATION.fullmatch(text) and self.read(text) == value else repr(float(value))


class AnnouncedDuration(Duration):
    """Also None, written as nothing: then whoever it would be announced to decides."""

    def parse(self, text: str) -> Any:
        return super().parse(text) if text.strip() else None

    def check(self, value: Any) -> Any:
        return None if value is None else super().check(value)

    def show(self, value: Any) -> str:
        return "" if value is None else super().show(value)


class Size(Number):
    """Bytes, in powers of 1024. Off is None."""

    METAVAR = "SIZE"
    OFF = None
    WRONG = "not a size: write bytes, or a number with k, M or G"

    def read(self, text: str) -> int:
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise UsageError(self.WRONG)
        return int(match[1]) * _SIZE_UNITS[match[2].lower() if match[2] else None]

    def show_number(self, value: Any) -> str:
        for unit, letter in ((GIB, "G"), (MIB, "M"), (KIB, "k")):
            if value >= unit and value % unit == 0:
                return f"{value // unit}{letter}"
        return str(value)


class Percentage(Number):
    """A number with a percent sign. Off is None."""

    METAVAR = "PERCENT"
    OFF = None
    TYPES = (int, float)
    WRONG = "not a percentage: write 5% or 0.5%"

    def read(self, text: str) -> float:
        match = _PERCENTAGE.fullmatch(text.strip())
        if match is None:
            raise UsageError(self.WRONG)
        return float(match[1])

    def show_number(self, value: Any) -> str:
        return f"{value!r}%".replace(".0%", "%")


class Count(Number):
    """A whole number. Off is more than anybody counts."""

    METAVAR = "COUNT"
    OFF = sys.maxsize
    WRONG = "not a whole number"

    def read(self, text: str) -> int:
        if not _COUNT.fullmatch(text.strip()):
            raise UsageError(self.WRONG)
        return int(text)

    def take(self, value: Any) -> Any:
        if isinstance(value, str) and _COUNT.fullmatch(value.strip()):
            raise UsageError(f"{self.WRONG}: write it without quotes")
        return super().take(value)


@dataclass(frozen=True)
class AutoCount(Count):
    """A whole number, or `auto` for one that is found out: no more than `high`."""

    auto: Callable[[], int] = lambda: 1

    METAVAR = "COUNT|auto"

    def read(self, text: str) -> int:
        return min(self.auto(), int(self.high)) if text.strip().lower() == AUTO_WORD else super().read(text)


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    def metavar(self) -> str:
        return f"[{'|'.join(self.words)}]"

    def read(self, text: str) -> str:
        # `INFO`, as logging has it, and gunicorn takes it.
        return text.strip().lower()

    def check(self, value: Any) -> Any:
        if value not in self.words:
            raise UsageError(f"one of {', '.join(self.words)}")
        return value

    def range(self) -> str:
        return ", ".join(self.words)


def check_no_nul(text: str) -> None:
    """Raises UsageError for what can be no path, and in no environment: a child could not be told."""
    if "\0" in text:
        raise UsageError("a NUL among its characters")


def any_text(text: str) -> None:
    """What makes sense is known to whoever needs it."""


@dataclass(frozen=True)
class Text(Kind):
    """A text, which `check_text` may refuse."""

    placeholder: str
    check_text: Callable[[str], object] = any_text

    def metavar(self) -> str:
        return self.placeholder

    def check(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise UsageError("not a text")
        self.check_text(value)
        check_no_nul(value)
        return value

    def take(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise UsageError("not a text: put it in quotes")
        return super().take(value)


class Flag(Kind):
    """Yes or no."""

    def metavar(self) -> str:
        return ""

    def read(self, text: str) -> bool:
        word = text.strip().lower()
        if word in ("1", "true", "yes", "on"):
            return True
        if word in ("0", "false", "no", "off"):
            return False
        raise UsageError("write true or false")

    def check(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise UsageError("True or False")
        return value

    def take(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise UsageError("write true or false")
        return value

    def show(self, value: Any) -> str:
        return "true" if value else "false"


@dataclass(frozen=True)
class Texts(Kind):
    """Several texts: a repeatable option, a tuple. In one variable of the environment they are words as in a shell.

    `check_text` may refuse each of them.
    """

    placeholder: str
    check_text: Callable[[str], object] = any_text

    def metavar(self) -> str:
        return self.placeholder

    def read(self, text: str) -> tuple[str, ...]:
        return tuple(self.split(text))

    def split(self, text: str) -> list[str]:
        try:
            return shlex.split(text)
        except ValueError as error:
            raise UsageError(f"write it as words in a shell ({error})") from None

    def check(self, value: Any) -> Any:
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(x, str) for x in value):
            raise UsageError("not a tuple of texts")
        for text in value:
            try:
                self.check_text(text)
                check_no_nul(text)
            except UsageError as error:
                raise UsageError(f"{text!r}: {error.reason}" if len(value) > 1 else error.reason) from None
        return tuple(value)

    def take(self, value: Any) -> Any:
        """One text is a list of one."""
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UsageError("not a text, or a list of texts")
        if not texts:
            raise UsageError("an empty list says nothing: leave it out")
        return self.check(texts)

    def show(self, value: Any) -> str:
        return shlex.join(value)
