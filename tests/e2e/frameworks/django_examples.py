"""What Django's documentation has of streaming (Outputting CSV) and of uploads (File Uploads), at our paths."""

import csv
import os
from pathlib import Path
from typing import Any

import django
from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from tests.e2e.frameworks import UPLOADS_VARIABLE, rows, told


class Echo:
    """An object that implements just the write method of the file-like interface."""

    def write(self, value: str) -> str:
        """Write the value by returning it, instead of storing in a buffer."""
        return value


def some_streaming_csv_view(request: HttpRequest) -> Any:
    pseudo_buffer: Any = Echo()
    writer = csv.writer(pseudo_buffer)
    return StreamingHttpResponse(
        (writer.writerow(row) for row in rows(request.GET["rows"], request.GET["width"])),
        content_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="somefilename.csv"'},
    )


class UploadFileForm(forms.Form):
    title = forms.CharField(max_length=50)
    file = forms.FileField()


def handle_uploaded_file(f: UploadedFile) -> None:
    assert f.name is not None
    with open(os.path.join(os.environ[UPLOADS_VARIABLE], f.name), "wb+") as destination:
        for chunk in f.chunks():  # noqa: FURB122 (as it stands there)
            destination.write(chunk)


def upload_file(request: HttpRequest) -> HttpResponse:
    form = UploadFileForm(request.POST, request.FILES)
    assert form.is_valid(), form.errors
    handle_uploaded_file(request.FILES["file"])
    return HttpResponseRedirect(f"/uploads/{request.FILES['file'].name}")


def download_file(request: HttpRequest, name: str) -> Any:
    return FileResponse((Path(os.environ[UPLOADS_VARIABLE]) / name).open("rb"))


def tell(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told())


urlpatterns = [
    path("large.csv", some_streaming_csv_view),
    path("upload", upload_file),
    path("uploads/<str:name>", download_file),
    path("told", tell),
]

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY=os.urandom(16).hex(), ALLOWED_HOSTS=["*"])
django.setup()
application = get_wsgi_application()
