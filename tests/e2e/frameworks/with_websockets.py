"""One WebSocket for each framework: it greets, sends back what it is sent, and says 4000 to `bye`.

`starlette`, `fastapi`, `quart`, `litestar` and `channels` are applications, each made when it is asked for.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    return MAKERS[name]()


def make_starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def echo(socket: WebSocket) -> None:
        await socket.accept(subprotocol="chat")
        await socket.send_text(f"hello {socket.query_params['name']}")
        async for text in socket.iter_text():
            if text == "bye":
                await socket.close(4000, "bye")
                return
            await socket.send_text(text)

    return Starlette(routes=[WebSocketRoute("/ws", echo)])


def make_fastapi() -> Any:
    from fastapi import FastAPI, WebSocket

    app = FastAPI()

    async def echo(socket: WebSocket, name: str) -> None:
        await socket.accept(subprotocol="chat")
        await socket.send_text(f"hello {name}")
        while (text := await socket.receive_text()) != "bye":
            await socket.send_text(text)
        await socket.close(4000, "bye")

    app.add_api_websocket_route("/ws", echo)
    return app


def make_quart() -> Any:
    from quart import Quart, websocket

    app = Quart(__name__)

    @app.websocket("/ws")
    async def echo() -> None:
        await websocket.accept(subprotocol="chat")
        await websocket.send(f"hello {websocket.args['name']}")
        while (text := await websocket.receive()) != "bye":
            await websocket.send(text)
        await websocket.close(4000, "bye")

    return app


def make_litestar() -> Any:
    from litestar import Litestar, WebSocket, websocket

    async def echo(socket: Any) -> None:
        await socket.accept(subprotocols="chat")
        await socket.send_text(f"hello {socket.query_params['name']}")
        while (text := await socket.receive_text()) != "bye":
            await socket.send_text(text)
        await socket.close(4000, "bye")

    echo.__annotations__["socket"] = WebSocket  # It reads what there is, and could not read a name in here.
    return Litestar([websocket("/ws")(echo)])


def make_channels() -> Any:
    import django
    from django.conf import settings

    layers = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.configure(ALLOWED_HOSTS=["*"], CHANNEL_LAYERS=layers)
    django.setup()
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.core.asgi import get_asgi_application
    from django.urls import path

    class Echo(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.channel_layer.group_add("all", self.channel_name)
            await self.accept(subprotocol="chat")
            name = self.scope["query_string"].decode().removeprefix("name=")
            await self.send(text_data=f"hello {name}")

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            if text_data == "bye":
                await self.close(4000, "bye")
            else:
                # By way of the group, as a chat would.
                await self.channel_layer.group_send("all", {"type": "said", "text": text_data})

        async def said(self, event: dict[str, str]) -> None:
            await self.send(text_data=event["text"])

        async def disconnect(self, code: int) -> None:
            await self.channel_layer.group_discard("all", self.channel_name)

    routes = [path("ws", Echo.as_asgi())]
    return ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter(routes)})


MAKERS = {
    "starlette": make_starlette,
    "fastapi": make_fastapi,
    "quart": make_quart,
    "litestar": make_litestar,
    "channels": make_channels,
}
