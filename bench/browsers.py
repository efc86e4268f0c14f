"""Requests as browsers send them, no two alike: what a site's traffic looks like to a proxy."""

from collections.abc import Callable
from dataclasses import dataclass

import replies
from dice import URL_DIGITS, Dice
from request import Request

FIELDS_MIN, FIELDS_MAX = 8, 14

HOSTS = ("shop.example.org", "www.example.org", "example.org", "blog.example.org")
SECTIONS = (
    "products",
    "shoes/women",
    "shoes/men",
    "blog/2025/03",
    "help",
    "c/sale",
    "static/js",
    "k%C3%BCche/t%C3%B6pfe",
)
WORDS = ("red", "light", "running", "winter", "leather", "kids", "trail", "classic", "wide", "black", "summer", "blue")
QUERIES = ("page={n}", "sort=price&dir=asc&page={n}", "q=caf%C3%A9+noir&page={n}", "v={hex}", "ref=mail&c={hex}&u={n}")
SHARE_WITH_QUERY = 0.6

SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
    "X11; CrOS x86_64 14541.0.0",
)
CHROME = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.{build}.{patch} Safari/537.36"
FIREFOX = "Mozilla/5.0 ({system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{patch} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.{patch} Mobile/15E{major} Safari/604.1"
)
AGENTS = (CHROME, CHROME, CHROME, FIREFOX, SAFARI)

ACCEPTS = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "application/json, text/plain, */*",
    "*/*",
)
LANGUAGES = ("en-US", "en-GB", "de-DE", "de", "fr-FR", "es", "pt-BR", "ja", "pl", "it", "nl", "sv")
ENCODINGS = ("gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate")
REFERERS = ("https://www.google.com/", "https://duckduckgo.com/", "https://t.example.net/l?u={hex}")
SHARE_OF_OWN_REFERERS = 0.7

# Of those that ask whether their copy still holds, the share whose copy does.
SHARE_FRESH = 0.5


@dataclass(frozen=True)
class Field:
    """A field of the requests: how often it is there (None: always), and its value for the page of a number."""

    name: str
    weight: float | None
    value: Callable[[Dice, int], str]


def _target(dice: Dice, number: int) -> str:
    name = "-".join(dice.pick(WORDS) for _ in range(dice.between(1, 4)))
    path = f"/{dice.pick(SECTIONS)}/{name}-{number:0{replies.NUMBER_DIGITS}}"
    return f"{path}?{_filled(dice, dice.pick(QUERIES))}" if dice.chance(SHARE_WITH_QUERY) else path


def _filled(dice: Dice, template: str) -> str:
    return template.format(n=dice.between(1, 500), hex=dice.text(12))


def _agent(dice: Dice, _: int) -> str:
    return dice.pick(AGENTS).format(
        system=dice.pick(SYSTEMS), major=dice.between(115, 139), build=dice.between(5800, 7200), patch=dice.below(9)
    )


def _languages(dice: Dice, _: int) -> str:
    first, second = dice.pick(LANGUAGES), dice.pick(LANGUAGES)
    return f"{first},{second};q=0.9,en;q=0.{dice.between(3, 8)}"


def _cookie(dice: Dice, number: int) -> str:
    crumbs = (
        f"session={dice.text(32)}",
        f"_ga=GA1.2.{dice.below(10**9)}.17{dice.below(10**8):08}",
        f"cart={number}.{dice.below(10)}",
        f"consent={dice.text(24, URL_DIGITS)}",
        f"theme={dice.pick(('dark', 'light'))}",
    )
    return "; ".join(crumbs[: dice.between(1, len(crumbs))])


def _referer(dice: Dice, _: int) -> str:
    if dice.chance(SHARE_OF_OWN_REFERERS):
        return f"https://{dice.pick(HOSTS)}{_target(dice, dice.below(10**replies.NUMBER_DIGITS))}"
    return _filled(dice, dice.pick(REFERERS))


def _tag(dice: Dice, number: int) -> str:
    return replies.etag(number if dice.chance(SHARE_FRESH) else number + 1).decode()


def _date(dice: Dice, number: int) -> str:
    return replies.modified(number if dice.chance(SHARE_FRESH) else number + 1).decode()


def _bearer(dice: Dice, _: int) -> str:
    return f"Bearer eyJhbGciOiJFUzI1NiJ9.{dice.text(120, URL_DIGITS)}.{dice.text(86, URL_DIGITS)}"


def _one_of(*values: str) -> Callable[[Dice, int], str]:
    return lambda dice, _: dice.pick(values)


# In the order in which they are sent.
FIELDS = (
    Field("Host", None, _one_of(*HOSTS)),
    Field("Connection", None, _one_of("keep-alive")),
    Field("Cache-Control", 0.5, _one_of("max-age=0", "no-cache")),
    Field("sec-ch-ua-platform", 2, _one_of('"Windows"', '"macOS"', '"Linux"', '"Android"')),
    Field("sec-ch-ua-mobile", 2, _one_of("?0", "?1")),
    Field("DNT", 0.5, _one_of("1")),
    Field("Upgrade-Insecure-Requests", 2, _one_of("1")),
    Field("User-Agent", None, _agent),
    Field("Accept", None, _one_of(*ACCEPTS)),
    Field("Authorization", 0.5, _bearer),
    Field("X-Requested-With", 0.3, _one_of("XMLHttpRequest")),
    Field("Sec-Fetch-Site", 3, _one_of("same-origin", "none", "cross-site")),
    Field("Sec-Fetch-Mode", 3, _one_of("navigate", "cors", "no-cors")),
    Field("Sec-Fetch-Dest", 3, _one_of("document", "empty", "script", "image")),
    Field("Referer", 8, _referer),
    Field("Accept-Encoding", None, _one_of(*ENCODINGS)),
    Field("Accept-Language", None, _languages),
    Field("Cookie", 20, _cookie),
    Field("If-None-Match", 1, _tag),
    Field("If-Modified-Since", 0.5, _date),
    Field("Priority", 2, _one_of("u=0, i", "u=1", "i")),
)
ALWAYS = {at for at, field in enumerate(FIELDS) if field.weight is None}
SOMETIMES = {at: field.weight for at, field in enumerate(FIELDS) if field.weight is not None}


def requests(seed: int, count: int) -> list[Request]:
    """So many requests, each for a page of its own; the same ones for the same seed."""
    dice = Dice(seed)
    return [_request(dice, number) for number in dice.shuffled(count)]


def _request(dice: Dice, number: int) -> Request:
    n_more = dice.between(FIELDS_MIN, FIELDS_MAX) - len(ALWAYS)
    drawn = dice.draw([*SOMETIMES.values()], n_more)
    chosen = ALWAYS | {at for position, at in enumerate(SOMETIMES) if position in drawn}
    fields = tuple((FIELDS[at].name, FIELDS[at].value(dice, number)) for at in sorted(chosen))
    return Request("GET", _target(dice, number), fields)
