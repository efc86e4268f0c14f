"""A small FastAPI application (pip install fastapi): JSON, a path parameter, a streaming reply, an upload.

zerogate worker examples.fastapi_app:app
curl http://localhost:9000/
curl http://localhost:9000/items/7?colour=red
curl -N http://localhost:9000/countdown/5
curl -T README.md http://localhost:9000/files/README.md
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="A small application")


class Item(BaseModel):
    id: int
    colour: str


class Upload(BaseModel):
    name: str
    size_bytes: int
    sha256: str


@app.get("/")
async def index() -> dict[str, int | str]:
    return {"message": "hello", "pid": os.getpid()}


@app.get("/items/{item_id}")
async def get_item(item_id: int, colour: str = "blue") -> Item:
    if item_id > 1000:
        raise HTTPException(404, f"there is no item {item_id}")
    return Item(id=item_id, colour=colour)


@app.get("/countdown/{start}")
async def countdown(start: int, pause_s: float = 0.2) -> StreamingResponse:
    """Each line is sent when its time has come."""

    async def lines() -> AsyncIterator[str]:
        for number in range(start, 0, -1):
            yield f"{number}\n"
            await asyncio.sleep(pause_s)
        yield "lift-off\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.put("/files/{name}")
async def upload(name: str, request: Request) -> Upload:
    """Takes a body of any size, a piece at a time: reading slowly slows the client down, memory stays flat."""
    size, digest = 0, hashlib.sha256()
    async for piece in request.stream():
        size += len(piece)
        digest.update(piece)
    return Upload(name=name, size_bytes=size, sha256=digest.hexdigest())
