"""Bottle."""

from pathlib import Path
from typing import Any

import bottle
from bottle import request, response

from tests.e2e.frameworks import digest, pieces, stage

SECRET = "for tests"


def create_app() -> Any:
    app = bottle.Bottle()

    @app.get("/")
    def home() -> str:
        return "Hello"

    @app.put("/upload")
    def upload() -> Any:
        return digest(request.environ["wsgi.input"])

    @app.post("/form")
    def form() -> Any:
        file = request.files["file"]
        return digest(file.file, name=f"{request.forms['title']} {file.filename}")

    @app.get("/pieces/<n:int>")
    def stream(n: int) -> Any:
        response.content_type = "application/octet-stream"
        return pieces(n)

    @app.get("/events")
    def events() -> Any:
        response.content_type = "text/event-stream"
        return stage.events()

    @app.get("/cue")
    def cue() -> Any:
        stage.cue()
        return {"left": stage.left.is_set()}

    @app.get("/session")
    def seen() -> Any:
        n = int(request.get_cookie("seen", "0", secret=SECRET)) + 1
        response.set_cookie("seen", str(n), secret=SECRET)
        return {"seen": n}

    @app.get("/redirect")
    def away() -> Any:
        bottle.redirect("/")

    @app.get("/file")
    def this_file() -> Any:
        return bottle.static_file(Path(__file__).name, root=Path(__file__).parent)

    @app.get("/client")
    def client() -> Any:
        found = {"address": request.remote_addr, "scheme": request.urlparts.scheme, "url": request.url}
        return {**found, "root": request.script_name.rstrip("/")}

    @app.get("/raise")
    def fail() -> Any:
        raise ArithmeticError("as it was told to")

    return app
