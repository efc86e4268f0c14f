"""Applications that know nothing of where they are mounted: each tells a name of its path, and how it would link."""

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path, reverse
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

fastapi_app = FastAPI()


@fastapi_app.get("/items/{name}")
async def item(name: str, request: Request) -> dict[str, str]:
    return {"name": name, "link": request.url_for("item", name="b").path}


async def starlette_item(request: StarletteRequest) -> JSONResponse:
    return JSONResponse({"name": request.path_params["name"], "link": request.url_for("item", name="b").path})


starlette_app = Starlette(routes=[Route("/items/{name}", starlette_item, name="item")])


def django_item(request: HttpRequest, name: str) -> JsonResponse:
    return JsonResponse({"name": name, "link": reverse("item", args=["b"])})


urlpatterns = [path("items/<name>", django_item, name="item")]

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, SECRET_KEY=os.urandom(16).hex(), ALLOWED_HOSTS=["*"])
    django.setup()
django_app = get_asgi_application()
