"""docs/options.md, made from the declarations: `python -m zerogate.cli.reference > docs/options.md`."""

import click

from zerogate.cli.commands import commands
from zerogate.cli.options import SettingOption, every_command
from zerogate.settings.kinds import Number
from zerogate.settings.option import Settings, flag_name, heading

INTRODUCTION = """\
# Options

Made from the declarations in `src/zerogate/settings/` by `python -m zerogate.cli.reference > docs/options.md`: change
it there.

Each option is also an environment variable: `--queue-timeout` is `ZEROGATE_QUEUE_TIMEOUT`, and a key in a file:
`queue-timeout` ([configuration.md](configuration.md)). The command line goes before the environment, and that before a
file. Of a repeatable option, the variable has several values as words in a shell, and one that is repeated on the
command line replaces them all.

- DURATION: seconds, or a number with `ms`, `s`, `m` or `h`
- SIZE: bytes, or a number with `k`, `M` or `G` (powers of 1024)
- COUNT: a whole number

Where 0 turns something off, `off` can be written as well.
"""

HEADER = ["| option | default | range | what |", "| --- | --- | --- | --- |"]


def reference() -> str:
    """The page."""
    parts = [INTRODUCTION]
    for noun, rows in _rows().items():
        everybody = [command for command in every_command(commands) if any(command in takers for _, takers in rows)]
        lines = [_row(option, takers, everybody) for option, takers in rows]
        parts += [f"## {heading(noun)}\n", f"{_commands(everybody)}\n", "\n".join([*HEADER, *lines]) + "\n"]
    return "\n".join(parts)


def _rows() -> dict[type[Settings], list[tuple[SettingOption, list[str]]]]:
    """By noun: each option, and which commands have it like that."""
    found: dict[type[Settings], list[tuple[SettingOption, list[str]]]] = {}
    for name, command in every_command(commands).items():
        for option in command.params:
            if not isinstance(option, SettingOption) or option.option.is_hidden:
                continue
            rows = found.setdefault(option.noun, [])
            for other, takers in rows:
                if (other.setting, other.option) == (option.setting, option.option):
                    takers.append(name)
                    break
            else:
                rows.append((option, [name]))
    return found


def _row(option: SettingOption, takers: list[str], everybody: list[str]) -> str:
    name = f"`{flag_name(option.setting)}{f' {option.metavar}' if option.metavar else ''}`".replace("|", "\\|")
    kind = option.option.kind
    zero = f"; 0: {kind.off or kind.zero}" if isinstance(kind, Number) and (kind.off or kind.zero) else ""
    also = f" Also {', '.join(f'`{alias}`' for alias in option.option.aliases)}." if option.option.aliases else ""
    cells = [
        name if takers == everybody else f"{name} ({', '.join(takers)})",
        option.shown_default.replace("*", "\\*"),
        kind.range() + zero,
        option.option.help.replace("*", "\\*") + also,
    ]
    return f"| {' | '.join(cells)} |"


def _commands(names: list[str]) -> str:
    return ", ".join(f"`zerogate {name}`" for name in names)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
