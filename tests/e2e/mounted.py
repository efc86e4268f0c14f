"""An application that tells where it believes to be."""

import json
from typing import Any

FIELDS = [(b"content-type", b"application/json")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    seen = {key: scope[key] for key in ("path", "root_path")} | {
        "query": scope["query_string"].decode(),
        "raw_path": scope["raw_path"].decode(),
        "prefix": [value.decode() for name, value in scope["headers"] if name == b"x-forwarded-prefix"],
    }
    await send({"type": "http.response.start", "status": 200, "headers": FIELDS})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
