"""The fixture `zerogate_site`, which pytest finds by itself. It costs nothing where no test asks for it."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from zerogate.testing import Site


@pytest.fixture
def zerogate_site() -> Iterator["type[Site]"]:
    """Makes sites: `site = zerogate_site(app)`, a router and a worker for the application, until the end of the test.

    Its options are `zerogate.run`'s, at ports that were free: `site.url` says where. For type checkers it is
    `type[zerogate.testing.Site]`.
    """
    from zerogate.testing import Site

    with contextlib.ExitStack() as sites:

        def make(app: Any, /, **options: Any) -> Site:
            return sites.enter_context(Site(app, **options))

        yield cast("type[Site]", make)
