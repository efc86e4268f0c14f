"""Declaring an option: once, in a class of settings. Command line, environment, help and docs are made of it."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

from zerogate.errors import UsageError
from zerogate.settings.kinds import (
    AUTO_WORD,
    GIB,
    HOUR_S,
    AnnouncedDuration,
    AutoCount,
    Choice,
    Count,
    Duration,
    Flag,
    Kind,
    Number,
    Percentage,
    Size,
    Text,
    Texts,
    any_text,
)

S = TypeVar("S", bound="Settings")

# Where an option says nothing else. Shorter than a millisecond is no time to do anything in; who means longer than a
# year means off; no process has more memory than a TiB to spare; and the link's counts have 31 bits.
MIN_DURATION_S = 0.001
MAX_DURATION_S = 365 * 24 * HOUR_S
MAX_SIZE_BYTES = 1024 * GIB
MAX_COUNT = 2**31 - 1
# One request in a million.
MIN_PERCENTAGE = 0.0001

_METADATA = "option"


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name: what kind of value it has, and its words for people.

    `default_words` stand for a default that is made when it is needed; `range_words` for a range that is its own.
    `variable` is one of the environment that others have made known for the same; ours goes before it. `aliases` are
    what other servers call it on their command lines, where they mean the same.
    """

    kind: Kind
    help: str
    default_words: str = ""
    range_words: str = ""
    is_hidden: bool = False
    is_secret: bool = False
    variable: str = ""
    aliases: tuple[str, ...] = ()


def option(default: Any, option: Option) -> Any:
    """A dataclass field that is an option. A callable `default` is called when it is needed."""
    metadata = {_METADATA: option}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=option.kind.check(default), metadata=metadata)


# What numbers have in common: a range, `low` to `high`; and what 0 means where it is allowed. `off` is something that
# it turns off, and the setting is then `kind.OFF`; `zero` is what it means as a number.


def duration(
    default: float,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    off: str = "",
    zero: str = "",
    aliases: tuple[str, ...] = (),
) -> Any:
    """An option in seconds."""
    kind = Duration(_low(low, zero, MIN_DURATION_S), high or MAX_DURATION_S, off, zero)
    return option(default, Option(kind, help, range_words=_range_words(kind, low, high), aliases=aliases))


def announced_duration(help: str, *, off: str, default_words: str) -> Any:
    """An option in seconds that somebody else decides unless it is given."""
    kind = AnnouncedDuration(MIN_DURATION_S, MAX_DURATION_S, off)
    return option(None, Option(kind, help, default_words))


def size(
    default: int | None, help: str, *, low: int | None = None, high: int | None = None, off: str = "", zero: str = ""
) -> Any:
    """An option in bytes."""
    kind = Size(_low(low, zero, 1), high or MAX_SIZE_BYTES, off, zero)
    return option(default, Option(kind, help, range_words=_range_words(kind, low, high)))


def percentage(help: str, *, off: str) -> Any:
    """An option in percent, off by default."""
    kind = Percentage(MIN_PERCENTAGE, 100, off)
    return option(None, Option(kind, help, range_words=kind.range()))


def count(
    default: Any,
    help: str,
    *,
    low: int | None = None,
    high: int | None = None,
    off: str = "",
    zero: str = "",
    default_words: str = "",
    is_hidden: bool = False,
    auto: Callable[[], int] | None = None,
    auto_words: str = "",
    variable: str = "",
    aliases: tuple[str, ...] = (),
) -> Any:
    """An option that is a whole number. With `auto` it may be that word, for what is found out then."""
    if auto is None:
        kind = Count(_low(low, zero, 1), high or MAX_COUNT, off, zero)
    else:
        kind = AutoCount(_low(low, zero, 1), high or MAX_COUNT, off, zero, auto)
        if default is auto:
            default_words = f"{AUTO_WORD}, {auto_words}"
        else:
            help = f"{help} auto is {auto_words}."
    return option(
        default,
        Option(
            kind,
            help + _also(variable),
            default_words,
            _range_words(kind, low, high),
            is_hidden,
            variable=variable,
            aliases=aliases,
        ),
    )


def _low(low: float | None, zero: str, lowest: float) -> float:
    return 0 if zero else lowest if low is None else low


def _range_words(kind: Number, low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return kind.range()
    if low is not None:
        return f"at least {kind.show(low)}"
    return f"at most {kind.show(high)}" if high is not None else ""


def text(
    default: Any,
    help: str,
    *,
    metavar: str,
    default_words: str = "",
    check: Callable[[str], object] = any_text,
    is_secret: bool = False,
    aliases: tuple[str, ...] = (),
) -> Any:
    """An option that is a text; `check` raises UsageError for one that makes no sense."""
    return option(default, Option(Text(metavar, check), help, default_words, is_secret=is_secret, aliases=aliases))


def texts(
    default: tuple[str, ...],
    help: str,
    *,
    metavar: str,
    check: Callable[[str], object] = any_text,
    variable: str = "",
    aliases: tuple[str, ...] = (),
) -> Any:
    """An option that is repeatable; `check` raises UsageError for a text that makes no sense."""
    words = f"{help} Repeatable.{_also(variable)}"
    return option(default, Option(Texts(metavar, check), words, variable=variable, aliases=aliases))


def _also(variable: str) -> str:
    return f" {variable} in the environment is heeded, too." if variable else ""


def choice(default: str, help: str, *, words: tuple[str, ...]) -> Any:
    """An option that is one of a few words."""
    return option(default, Option(Choice(words), help))


def flag(help: str) -> Any:
    """An option that is there or not."""
    return option(False, Option(Flag(), help))


@dataclass(frozen=True, eq=False, repr=False)
class Settings:
    """Base of all settings. A subclass for each noun; its docstring is the heading of its options in help and docs.

    What a dataclass would have compiled for each of them, at each start of any command, all have from here.
    """

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __post_init__(self) -> None:
        """Check every value, and put it as it is to be used. Raises UsageError.

        What depends on two options is checked by a subclass, which calls this first.
        """
        for each, found in options_of(type(self)):
            try:
                object.__setattr__(self, each.name, found.kind.check(getattr(self, each.name)))
            except UsageError as error:
                raise UsageError(f"{self.written(each.name)}: {error.reason}") from None

    def written(self, name: str) -> str:
        """An option as one would give it: `--lost-after 15s`."""
        value = getattr(self, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        kind = _declared(type(self))[name].option.kind
        shown = kind.show(value) if is_number else " ".join(map(str, value)) if isinstance(value, tuple) else value
        return f"{flag_name(name)} {shown}"

    def part(self, kind: type[S], **changes: Any) -> S:
        """Those of these settings that `kind` has as well, as a `kind`, with changes."""
        names = {each.name for each in dataclasses.fields(self)}
        shared = {each.name: getattr(self, each.name) for each in dataclasses.fields(kind) if each.name in names}
        return kind(**{**shared, **changes})

    def changed(self, **changes: Any) -> Self:
        return dataclasses.replace(self, **changes)


class _Declared(NamedTuple):
    """An option as a settings class has it, and under which heading."""

    field: "dataclasses.Field[Any]"
    option: Option
    noun: type[Settings]


# Kept, because the command line asks for each option of each command.
_known: dict[type[Settings], dict[str, _Declared]] = {}


def options_of(kind: type[Settings]) -> Iterator[tuple["dataclasses.Field[Any]", Option]]:
    """The options of a settings class, noun by noun as its bases are written."""
    return ((each.field, each.option) for each in _declared(kind).values())


def noun_of(kind: type[Settings], name: str) -> type[Settings]:
    """Under which heading an option is: where it was declared first, whoever has changed it since."""
    return _declared(kind)[name].noun


def nouns_of(kind: type[Settings]) -> list[type[Settings]]:
    """The class and its bases that are settings, in the order in which they are written."""
    return [noun for noun in kind.__mro__ if issubclass(noun, Settings) and inspect.get_annotations(noun)]


def _declared(kind: type[Settings]) -> dict[str, _Declared]:
    if kind not in _known:
        nouns = nouns_of(kind)
        # Of several, the deepest base: it comes last.
        owners = {name: noun for noun in nouns for name in inspect.get_annotations(noun)}
        fields = {each.name: each for each in dataclasses.fields(kind)}
        _known[kind] = {
            name: _Declared(fields[name], fields[name].metadata[_METADATA], noun)
            for noun in nouns
            for name in inspect.get_annotations(noun)
            if owners[name] is noun
        }
    return _known[kind]


def heading(noun: type[Settings]) -> str:
    """The heading of a noun's options."""
    return inspect.cleandoc(noun.__doc__ or noun.__name__).partition("\n")[0].rstrip(".")


def flag_name(name: str) -> str:
    """A setting as it is on the command line."""
    return f"--{name.replace('_', '-')}"
