"""What Flask's documentation has of streaming (Streaming Contents) and of uploads (Uploading Files), at our paths."""

import os
from collections.abc import Iterator
from typing import Any

from flask import Flask, flash, redirect, request, send_from_directory, stream_with_context, url_for
from markupsafe import escape
from werkzeug.utils import secure_filename

from tests.e2e.frameworks import UPLOADS_VARIABLE, rows, told

ALLOWED_EXTENSIONS = {"txt", "pdf", "png", "jpg", "jpeg", "gif"}

app = Flask(__name__)
app.secret_key = "for tests"
app.config["UPLOAD_FOLDER"] = os.environ[UPLOADS_VARIABLE]


@app.get("/large.csv")
def generate_large_csv() -> Any:
    def generate() -> Iterator[str]:
        for row in rows(request.args["rows"], request.args["width"]):
            yield f"{','.join(row)}\n"

    return stream_with_context(generate()), {"Content-Type": "text/csv"}


@app.get("/stream")
def streamed_response() -> Any:
    def generate() -> Iterator[str]:
        yield "<p>Hello "
        yield escape(request.args["name"])
        yield "!</p>"

    return stream_with_context(generate())


def allowed_file(filename: str) -> bool:
    return "." in filename and filename.rsplit(".", 1)[1].lower() in ALLOWED_EXTENSIONS


@app.post("/upload")
def upload_file() -> Any:
    if "file" not in request.files:
        flash("No file part")
        return redirect(request.url)
    file = request.files["file"]
    if not file.filename:
        flash("No selected file")
        return redirect(request.url)
    assert allowed_file(file.filename)
    filename = secure_filename(file.filename)
    file.save(os.path.join(app.config["UPLOAD_FOLDER"], filename))
    return redirect(url_for("download_file", name=filename))


@app.get("/uploads/<name>")
def download_file(name: str) -> Any:
    return send_from_directory(app.config["UPLOAD_FOLDER"], name)


@app.get("/told")
def tell() -> Any:
    return told()
