"""Requests as programs send them to an API: a POST with some 300 octets of JSON, no two alike."""

import json

import replies
from dice import URL_DIGITS, Dice
from request import Request

HOST = "api.example.org"
AGENTS = ("okhttp/4.12.0", "axios/1.7.9", "python-httpx/0.28.1", "Go-http-client/1.1", "Dart/3.5 (dart:io)")
ENCODINGS = ("gzip, deflate", "gzip", "gzip, deflate, br")
CITIES = ("Berlin", "Lyon", "Porto", "Gdynia", "Uppsala", "Leeds", "Utrecht", "Graz", "Turku", "Brno")
WAYS = ("standard", "express", "pick-up")
LINES_MIN, LINES_MAX = 2, 4


def requests(seed: int, count: int) -> list[Request]:
    """So many requests, each an order of its own; the same ones for the same seed."""
    dice = Dice(seed)
    return [_request(dice, number) for number in dice.shuffled(count)]


def _request(dice: Dice, number: int) -> Request:
    body = json.dumps(_order(dice, number), separators=(",", ":")).encode("ascii")
    fields = (
        ("Host", HOST),
        ("User-Agent", dice.pick(AGENTS)),
        ("Accept", "application/json"),
        ("Accept-Encoding", dice.pick(ENCODINGS)),
        ("Authorization", f"Bearer {dice.text(64, URL_DIGITS)}"),
        ("Idempotency-Key", dice.text(32)),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    )
    return Request("POST", f"/api/orders/{number:0{replies.NUMBER_DIGITS}}", fields, body)


def _order(dice: Dice, number: int) -> dict[str, object]:
    lines = [
        {"sku": f"SHOE-{dice.below(10**4):04}", "quantity": dice.between(1, 9), "price": dice.between(990, 19990) / 100}
        for _ in range(dice.between(LINES_MIN, LINES_MAX))
    ]
    return {
        "order": number,
        "customer": {"id": dice.text(16), "city": dice.pick(CITIES), "newsletter": dice.chance(0.5)},
        "delivery": {"way": dice.pick(WAYS), "on": f"2026-{dice.between(1, 12):02}-{dice.between(1, 28):02}"},
        "lines": lines,
        "total": dice.between(990, 59990) / 100,
    }
