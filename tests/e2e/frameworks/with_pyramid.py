"""Pyramid."""

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory

from tests.e2e.frameworks import digest, pieces, stage


def home(request: Request) -> Any:
    return Response("Hello")


def upload(request: Request) -> Any:
    return digest(request.body_file)


def form(request: Request) -> Any:
    file = request.POST["file"]
    return digest(file.file, name=f"{request.POST['title']} {file.filename}")


def stream(request: Request) -> Any:
    return Response(app_iter=pieces(int(request.matchdict["n"])))


def events(request: Request) -> Any:
    return Response(app_iter=stage.events(), content_type="text/event-stream")


def cue(request: Request) -> Any:
    stage.cue()
    return {"left": stage.left.is_set()}


def seen(request: Request) -> Any:
    request.session["seen"] = request.session.get("seen", 0) + 1
    return {"seen": request.session["seen"]}


def away(request: Request) -> Any:
    return HTTPFound(request.route_url("home"))


def this_file(request: Request) -> Any:
    return FileResponse(__file__, request=request, content_type="text/plain")


def client(request: Request) -> Any:
    return {
        "address": request.remote_addr,
        "scheme": request.scheme,
        "url": request.url,
        "root": request.script_name,
    }


def fail(request: Request) -> Any:
    raise ArithmeticError("as it was told to")


VIEWS: dict[str, tuple[str, Callable[[Request], Any]]] = {
    "home": ("/", home),
    "upload": ("/upload", upload),
    "form": ("/form", form),
    "pieces": ("/pieces/{n}", stream),
    "events": ("/events", events),
    "cue": ("/cue", cue),
    "session": ("/session", seen),
    "redirect": ("/redirect", away),
    "file": ("/file", this_file),
    "client": ("/client", client),
    "raise": ("/raise", fail),
}


def make_app() -> Any:
    with Configurator(session_factory=SignedCookieSessionFactory("for tests")) as config:
        for name, (pattern, view) in VIEWS.items():
            config.add_route(name, pattern)
            config.add_view(view, route_name=name, renderer="json")
        return config.make_wsgi_app()
