"""Where options are that nobody types."""

from dataclasses import dataclass

from zerogate.settings.option import Settings, text


@dataclass(frozen=True, eq=False, repr=False)
class ConfigSettings(Settings):
    """Configuration."""

    config: str = text(
        "",
        "File of options, or off.",
        metavar="FILE",
        default_words="zerogate.toml, or [tool.zerogate] in pyproject.toml, if there is one in the current folder",
        aliases=("-c",),
    )
