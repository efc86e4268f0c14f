"""What somebody meant: options by the names that other servers have for them, and variables with a slip of the pen."""

import difflib
import re
from collections.abc import Mapping

import click

from zerogate.cli.options import SettingOption, every_command
from zerogate.native import compiled
from zerogate.settings.environment import PREFIX, environment_name
from zerogate.settings.option import flag_name

# What uvicorn, gunicorn, hypercorn and nginx call it, and what it is here.
FOREIGN_NAMES = {
    "--workers": "processes",
    "-w": "processes",
    "--host": "http",
    "--port": "http",
    "-p": "http",
    "-b": "http",
    "--listen": "http",
    "--bind-http": "http",
    "--uds": "http",
    "--ssl-certfile": "tls_cert",
    "--certfile": "tls_cert",
    "--ssl-keyfile": "tls_key",
    "--keyfile": "tls_key",
    "--ssl-ca-certs": "tls_client_ca",
    "--ca-certs": "tls_client_ca",
    "--http-port": "http",
    "--bind-admin": "admin",
    "--bind-link": "bind",
    "--router": "connect",
    "--limit-concurrency": "concurrency",
    "--worker-connections": "concurrency",
    "--timeout-keep-alive": "keepalive_timeout",
    "--keep-alive": "keepalive_timeout",
    "--timeout-graceful-shutdown": "grace",
    "--graceful-timeout": "grace",
    "--forwarded-allow-ips": "trust",
    "--proxy-headers": "trust",
    "--access-logfile": "access_log",
    "--no-access-log": "access_log",
    "--client-max-body-size": "max_body",
    "--chdir": "app_dir",
    "--limit-request-line": "max_target",
    "--limit-request-fields": "max_fields",
}

# difflib's measure: one slip in a name of eight letters passes, another word does not.
LIKENESS = 0.75

_SERVICE = re.compile(r"ZEROGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")

_foreign_variables = {
    environment_name(name.removeprefix("--").replace("-", "_")): environment_name(setting)
    for name, setting in FOREIGN_NAMES.items()
    if name.startswith("--")
}


def explain_no_such_option(name: str, ctx: click.Context) -> str | None:
    """What to write instead of an option that a command does not have. None if nobody knows."""
    setting = FOREIGN_NAMES.get(name, name.removeprefix("--").replace("-", "_"))
    ours = flag_name(setting)
    if setting in _settings(ctx.command):
        return f"no option {name}: it is {ours} {_settings(ctx.command)[setting].metavar or ''}".rstrip()
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    takers = [f"`zerogate {each}`" for each, command in group.commands.items() if setting in _settings(command)]
    if not takers:
        return None
    who = takers[0] if len(takers) == 1 else f"{', '.join(takers[:-1])} and {takers[-1]}"
    return f"no option {name} here: {who} {'has' if len(takers) == 1 else 'have'} {ours}"


def unknown_variables(group: click.Group, environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that looks like an option of ours and is none."""
    known = {environment_name(setting) for command in every_command(group).values() for setting in _settings(command)}
    known.add(compiled.VARIABLE)
    lines = []
    for name, value in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in known and not _is_of_kubernetes(name, value):
            meant = _foreign_variables.get(name) or _most_like(name, known)
            lines.append(f"{name} is no option" + (f": did you mean {meant}?" if meant else ""))
    return lines


def _most_like(name: str, known: set[str]) -> str | None:
    """Without the prefix, by which all of them are alike."""
    names = [each.removeprefix(PREFIX) for each in known]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), names, 1, LIKENESS)
    return f"{PREFIX}{close[0]}" if close else None


def _is_of_kubernetes(name: str, value: str) -> bool:
    """It tells each container of all services: of one called `zerogate`, too."""
    return bool(_SERVICE.fullmatch(name)) and (name != f"{PREFIX}PORT" or "://" in value)


def _settings(command: click.Command) -> dict[str, SettingOption]:
    return {param.setting: param for param in command.params if isinstance(param, SettingOption)}
