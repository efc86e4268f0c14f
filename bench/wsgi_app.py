"""The application that every contender of WSGI serves: Flask, as people use it."""

import json

import replies
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def hello() -> Response:
    content_type, body = replies.FIXED["/"]
    return Response(body, content_type=content_type.decode())


@app.get("/10k")
def ten_kilobytes() -> Response:
    return Response(json.dumps(replies.TEN_KILOBYTES), content_type="application/json")


@app.route("/<path:path>", methods=["GET", "POST"])
def anything(path: str) -> Response:
    """What the plain application answers."""
    asked = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    reply = replies.reply_to(request.method, f"/{path}", asked, request.get_data())
    if reply is None:
        return Response("not found\n", 404)
    status, fields, body = reply
    return Response(body, status, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields])
