"""Settings as environment variables: `queue_timeout` is `ZEROGATE_QUEUE_TIMEOUT`."""

from zerogate.settings.option import Settings, options_of

PREFIX = "ZEROGATE_"


def environment_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{setting.upper()}"


def to_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, all of them, for a child process: it reads what these are."""
    return {
        environment_name(field.name): option.kind.show(getattr(settings, field.name))
        for field, option in options_of(type(settings))
    }
