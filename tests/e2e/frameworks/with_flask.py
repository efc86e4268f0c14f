"""Flask."""

from typing import Any

from flask import Flask, Response, redirect, request, send_file, session, url_for

from tests.e2e.frameworks import digest, pieces, stage

app = Flask(__name__)
app.secret_key = "for tests"


@app.get("/")
def home() -> str:
    return "Hello"


@app.put("/upload")
def upload() -> Any:
    return digest(request.stream)


@app.post("/form")
def form() -> Any:
    file = request.files["file"]
    return digest(file.stream, name=f"{request.form['title']} {file.filename}")


@app.get("/pieces/<int:n>")
def stream(n: int) -> Response:
    return Response(pieces(n), mimetype="application/octet-stream")


@app.get("/events")
def events() -> Response:
    return Response(stage.events(), mimetype="text/event-stream")


@app.get("/cue")
def cue() -> Any:
    stage.cue()
    return {"left": stage.left.is_set()}


@app.get("/session")
def seen() -> Any:
    session["seen"] = session.get("seen", 0) + 1
    return {"seen": session["seen"]}


@app.get("/redirect")
def away() -> Any:
    return redirect(url_for("home", _external=True))


@app.get("/file")
def this_file() -> Response:
    return send_file(__file__)


@app.get("/client")
def client() -> Any:
    return {"address": request.remote_addr, "scheme": request.scheme, "url": request.url, "root": request.script_root}


@app.get("/raise")
def fail() -> str:
    raise ArithmeticError("as it was told to")
