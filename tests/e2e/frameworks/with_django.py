"""Django."""

import os
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path, reverse

from tests.e2e.frameworks import digest, pieces, stage


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello")


def upload(request: HttpRequest) -> HttpResponse:
    return JsonResponse(digest(request))


def form(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return JsonResponse(digest(file, name=f"{request.POST['title']} {file.name}"))


def stream(request: HttpRequest, n: int) -> Any:
    return StreamingHttpResponse(pieces(n))


def events(request: HttpRequest) -> Any:
    return StreamingHttpResponse(stage.events(), content_type="text/event-stream")


def cue(request: HttpRequest) -> HttpResponse:
    stage.cue()
    return JsonResponse({"left": stage.left.is_set()})


def seen(request: HttpRequest) -> HttpResponse:
    request.session["seen"] = request.session.get("seen", 0) + 1
    return JsonResponse({"seen": request.session["seen"]})


def away(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(request.build_absolute_uri(reverse("home")))


def this_file(request: HttpRequest) -> Any:
    return FileResponse(open(__file__, "rb"))


def client(request: HttpRequest) -> HttpResponse:
    found = {"address": request.META["REMOTE_ADDR"], "scheme": request.scheme, "url": request.build_absolute_uri()}
    return JsonResponse({**found, "root": request.META["SCRIPT_NAME"]})


def fail(request: HttpRequest) -> HttpResponse:
    raise ArithmeticError("as it was told to")


urlpatterns = [
    path("", home, name="home"),
    path("upload", upload),
    path("form", form),
    path("pieces/<int:n>", stream),
    path("events", events),
    path("cue", cue),
    path("session", seen),
    path("redirect", away),
    path("file", this_file),
    path("client", client),
    path("raise", fail),
]

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(16).hex(),
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    # Errors are mailed to somebody, unless told otherwise.
    LOGGING={
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"django": {"handlers": ["console"]}},
    },
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()
application = get_wsgi_application()
