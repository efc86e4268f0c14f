"""Settings as environment variables: `queue_timeout` is `ZEROGATE_QUEUE_TIMEOUT`."""

import re
from collections.abc import Mapping

from zerogate.settings.option import Option, Settings, options_of

PREFIX = "ZEROGATE_"

_SERVICE = re.compile(r"ZEROGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


def environment_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{setting.upper()}"


def variables(setting: str, option: Option) -> list[str]:
    """Those that it is read from: the first that has a value counts."""
    return [environment_name(setting), *([option.variable] if option.variable else [])]


def is_of_kubernetes(name: str, value: str) -> bool:
    """It tells each container of all services: of one called `zerogate`, too, with names that look like ours."""
    return bool(_SERVICE.fullmatch(name)) and (name != f"{PREFIX}PORT" or "://" in value)


def without_secrets(environ: Mapping[str, str], kind: type[Settings]) -> dict[str, str]:
    """An environment for somebody else's program, who may show it to anybody, as debugging pages do."""
    secrets = {environment_name(field.name) for field, option in options_of(kind) if option.is_secret}
    return {name: value for name, value in environ.items() if name not in secrets}


def to_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, all of them, for a child process: it reads what these are."""
    return {
        environment_name(field.name): option.kind.show(getattr(settings, field.name))
        for field, option in options_of(type(settings))
    }
