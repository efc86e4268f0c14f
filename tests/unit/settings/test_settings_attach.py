"""What `zerogate attach` can set."""

import pytest

from zerogate.errors import UsageError
from zerogate.settings import AttachSettings, ServerSettings


def test_what_is_asked_for_is_a_path() -> None:
    for path in ("", "/", "/up?x=%20"):
        assert ServerSettings(health=path).health == path
    for path in ("up", "/a b", "/a\r\nb", "/\u00e4", "http://a/"):
        with pytest.raises(UsageError, match=r"(?s)^--health .*: a path begins with /"):
            ServerSettings(health=path)


def test_numbers_at_their_edges() -> None:
    settings = AttachSettings(pool_idle=0, health_failures=1, health_passes=1)
    assert settings.pool_idle == 0.0
    for name in ("health_failures", "health_passes", "health_interval", "health_timeout"):
        with pytest.raises(UsageError):
            AttachSettings(**{name: 0})  # type: ignore[arg-type]
