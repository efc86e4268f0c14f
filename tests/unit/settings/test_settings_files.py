"""What `zerogate files` can set."""

import pytest

from zerogate.errors import UsageError
from zerogate.settings import FilesSettings


def test_what_is_said_to_caches_is_one_line() -> None:
    assert FilesSettings(cache_control="public, max-age=60").cache_control == "public, max-age=60"
    for text in ("a\r\nb: c", "\u00e4"):
        with pytest.raises(UsageError, match=r"^--cache-control"):
            FilesSettings(cache_control=text)
