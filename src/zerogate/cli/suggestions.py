"""What somebody meant: options by the names that other servers have for them, and variables with a slip of the pen."""

import difflib
from collections.abc import Mapping

import click

from zerogate.cli.elsewhere import elsewhere
from zerogate.cli.options import SettingOption, every_command, given_name, setting_options, settings_options
from zerogate.native import compiled
from zerogate.settings import AddressSettings, Settings
from zerogate.settings.environment import PREFIX, environment_name, is_of_kubernetes
from zerogate.settings.kinds import OFF_WORD
from zerogate.settings.option import flag_name
from zerogate.settings.router import DEFAULT_HTTP

# What uvicorn, gunicorn, hypercorn and nginx call it, and what it is here.
FOREIGN_NAMES = {
    "--workers": "processes",
    "-w": "processes",
    "-p": "port",
    "-b": "http",
    "-t": "timeout",
    "--listen": "http",
    "--bind-http": "http",
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
    "--proxy-allow-from": "trust",
    "--client-max-body-size": "max_body",
    "--chdir": "app_dir",
    "--pythonpath": "app_dir",
    "--limit-request-line": "max_target",
    "--limit-request-field_size": "max_head",
    "--reload-extra-file": "reload_include",
    "--h11-max-incomplete-event-size": "max_head",
    "--ws-per-message-deflate": "ws_deflate",
    "--ssl": "https",
    "--ssl-cert-reqs": "tls_client_ca",
    "--cert-reqs": "tls_client_ca",
    "--asgi-loop": "loop",
    "--asgi-lifespan": "lifespan",
    "--websocket-max-message-size": "ws_max_size",
    "--log-config-json": "log_config",
}
# What they have and nobody needs here, or has elsewhere; and why.
FOREIGN_WORDS = {
    "--no-access-log": "write --access-log off",
    "--proxy-headers": "it is so; --trust says whose are believed",
    "--no-proxy-headers": "write --trust none",
    "--worker-class": "an application's interface is found out (--interface says it)",
    "-k": "an application's interface is found out (--interface says it)",
    "--preload": "each worker imports the application itself",
    "--daemon": "systemd, or what starts it, keeps it in the background",
    "-D": "systemd, or what starts it, keeps it in the background",
    "--pid": "systemd, or what starts it, knows its process",
    "-u": "systemd, or what starts it, says who it runs as",
    "--user": "systemd, or what starts it, says who it runs as",
    "--group": "systemd, or what starts it, says who it runs as",
    "-g": "systemd, or what starts it, says who it runs as",
    "-m": "systemd, or what starts it, says it; --http-mode and --ipc-mode are for sockets",
    "--timeout-worker-healthcheck": "a worker that hangs gets nothing new, and `zerogate check` tells of it",
    "--log-syslog": "what is logged goes to standard error; --log-config says otherwise",
    "--log-syslog-to": "what is logged goes to standard error; --log-config says otherwise",
    "--logger-class": "what is logged goes to standard error; --log-config says otherwise",
    "--enable-stdio-inheritance": "standard output and standard error stay what they are",
    "-R": "standard output and standard error stay what they are",
    "--statsd-prefix": "`zerogate status --json` has the numbers",
    "--no-sendfile": "there is no sendfile to turn off",
    "--protocol": "HTTP/1.1 is spoken",
    "--http-protocols": "HTTP/1.1 is spoken",
    "--http-parser": "there is one parser",
    "--header-map": "names with an underscore are dropped; --underscores hands them on",
    "--reset-contextvars": "each request has a context of its own",
    "--strip-header-spaces": "what breaks HTTP's rules is answered with 400",
    "--permit-obsolete-folding": "what breaks HTTP's rules is answered with 400",
    "--paster": "an application is MODULE:ATTRIBUTE",
    "--umask": "systemd, or what starts it, says it; --http-mode and --ipc-mode are for sockets",
    "--fd": "sockets come from systemd (LISTEN_FDS) to `zerogate router`",
    "--backlog": "2,048 may wait to be accepted, and the kernel has its own limit (net.core.somaxconn)",
    "--reuse-port": "--router-processes share their sockets",
    "--error-logfile": "what is logged goes to standard error; --log-config says otherwise",
    "--log-file": "what is logged goes to standard error; --log-config says otherwise",
    "--access-logformat": "its fields are in docs/operations.md",
    "--date-header": "every reply has a date",
    "--no-date-header": "every reply has a date (RFC 9110, 6.6.1)",
    "--server-header": "a reply has the server field that the application gives it",
    "--no-server-header": "a reply has no server field but the application's",
    "--header": "the application sets its fields",
    "--ws": "websockets is what reads them",
    "--http2": "HTTP/2 is not there yet",
    "--statsd-host": "`zerogate status --json` has the numbers",
    "--worker-tmp-dir": "workers have no files of their own",
    "--reload-delay": "a change is heeded when it is over",
    "--reload-engine": "watchfiles is what watches",
    "--check-config": "`zerogate config run` shows what is in force, or what is wrong with it",
    "--print-config": "`zerogate config run` shows what is in force",
    "--proc-name": "a process is called by its command",
    "-n": "a process is called by its command",
    "--capture-output": "standard output and standard error stay what they are",
    "--ssl-version": "TLS 1.2 and 1.3 are spoken",
    "--ssl-ciphers": "those that keep the past secret are taken",
    "--ciphers": "those that keep the past secret are taken",
    "--ssl-keyfile-password": "nobody is there to ask for a password: the key has to be without",
    "--ws-max-queue": "a client that sends faster than it is received is slowed down",
    "--use-colors": "nothing is coloured",
    "--no-use-colors": "nothing is coloured",
    "--paste": "an application is MODULE:ATTRIBUTE",
    "--env": "--env-file has variables for the application",
    "-e": "--env-file has variables for the application",
}

# What does nothing without another one. In a file it may wait for that one.
NEEDED = {
    **dict.fromkeys(("reload_dir", "reload_include", "reload_exclude", "reload_grace"), "reload"),
    "max_requests_jitter": "max_requests",
    "cache_control": "static",
}

# difflib's measure: one slip in a name of eight letters passes, another word does not.
LIKENESS = 0.75


def meant_setting(setting: str, options: Mapping[str, SettingOption]) -> str | None:
    """Which of these settings somebody means by a name that is none: what others call it, or with a slip of the pen."""
    flag = flag_name(setting)
    for ours, option in options.items():
        if flag in option.option.aliases:
            return ours
    if FOREIGN_NAMES.get(flag) in options:
        return FOREIGN_NAMES[flag]
    close = difflib.get_close_matches(setting, options, 1, LIKENESS)
    return close[0] if close else None


def who_has(setting: str, group: click.Group) -> str:
    """The commands that have an option: "`zerogate router` and `zerogate run` have --http"; "" if none has."""
    takers = [f"`zerogate {name}`" for name, each in group.commands.items() if setting in setting_options(each)]
    who = takers[0] if len(takers) == 1 else f"{', '.join(takers[:-1])} and {takers[-1]}" if takers else ""
    return who and f"{who} {'has' if len(takers) == 1 else 'have'} {flag_name(setting)}"


def explain_no_such_option(name: str, ctx: click.Context) -> str | None:
    """What to write instead of an option that a command does not have. None if nobody knows."""
    if name in FOREIGN_WORDS:
        return f"no option {name}: {FOREIGN_WORDS[name]}"
    setting = FOREIGN_NAMES.get(name, name.removeprefix("--").replace("-", "_"))
    options = setting_options(ctx.command)
    if setting in options:
        words = elsewhere(setting, "")
        return f"no option {name}: it is {flag_name(setting)} {options[setting].metavar or ''}".rstrip() + words
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    who = who_has(setting, group)
    return (who and f"no option {name} here: {who}") or None


def is_application(word: str, group: click.Group) -> bool:
    """Whether it is written as an application is, or as the file of one, and not as a command."""
    return word not in group.commands and not word.startswith("-") and (":" in word or "." in word)


def explain_no_such_keyword(name: str, kind: type[Settings]) -> str:
    """The same in Python, where these settings are keyword arguments."""
    if (flag := flag_name(name)) in FOREIGN_WORDS:
        return f"no option {name}: {FOREIGN_WORDS[flag]}"
    options, parts = (
        {
            each.setting: each
            for each in settings_options(some)
            if isinstance(each, SettingOption) and not each.option.is_hidden
        }
        for some in (kind, AddressSettings)
    )
    meant = meant_setting(name, options | parts if "http" in options else options)
    if meant in parts:
        return f"no option {name}: did you mean http=({DEFAULT_HTTP!r},)?"
    return f"no option {name}" + (f": did you mean {meant}?" if meant else "")


def explain_bad_use(error: click.UsageError, ctx: click.Context) -> str | None:
    """What may have gone wrong where an option has no value, or a command no argument. None if nobody knows."""
    if isinstance(error, click.BadOptionUsage):
        words = elsewhere(error.option_name.removeprefix("--").replace("-", "_"), "")
        return (words and f"{error.option_name} has no value{words}") or None
    taken = ctx.params.get("access_log")
    if isinstance(error, click.MissingParameter) and taken not in (None, "-", OFF_WORD):
        name = error.param.human_readable_name if error.param is not None else "argument"
        return f"no {name}: --access-log has taken {taken} as its value{elsewhere('access_log', '')}"
    return None


def idle_options(ctx: click.Context) -> list[str]:
    """A line for each option on the command line that does nothing, since another one is not given."""
    options = setting_options(ctx.command)
    return [
        f"{given_name(ctx, options[idle])} does nothing without {flag_name(needed)}"
        for idle, needed in NEEDED.items()
        if idle in options and needed in options and not ctx.params[needed]
        if ctx.get_parameter_source(idle) is click.core.ParameterSource.COMMANDLINE
    ]


def unknown_variables(group: click.Group, environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that looks like an option of ours and is none."""
    options: dict[str, SettingOption] = {}
    for command in every_command(group).values():
        options |= setting_options(command)
    known = {environment_name(setting) for setting in options} | {compiled.VARIABLE}
    lines = []
    for name, value in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in known and not is_of_kubernetes(name, value):
            meant = meant_setting(name.removeprefix(PREFIX).lower(), options)
            lines.append(f"{name} is no option" + (f": did you mean {environment_name(meant)}?" if meant else ""))
    return lines
