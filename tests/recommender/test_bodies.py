"""Which bodies are refused before they are read."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from lookalike.bodies import STRANGERS_MAX_BYTES

UPLOADS = ("/admin/catalog/product/add/", "/admin/catalog/product/7/change/", "/admin/catalog/product/import/uploads/")
DRAFT = UUID("a7b92b3d-ae3f-4429-87a8-4b70b55e50b8")
OTHERS = ("/admin/login/", "/admin/", "/admin/catalog/product/", "/basket", "/nowhere")


class Unread:
    """A body that must not be read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")

    def readline(self, *_: object) -> bytes:
        raise AssertionError("the body was read")


def send(client: Client, path: str, size: int) -> int:
    response = client.generic(
        "POST",
        path,
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(size),
        **{"wsgi.input": Unread()},
    )
    return response.status_code


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*UPLOADS, *OTHERS])
def test_large_bodies_of_strangers_are_not_read(path: str) -> None:
    assert send(Client(enforce_csrf_checks=True), path, STRANGERS_MAX_BYTES + 1) in (403, 413)


@pytest.mark.django_db
@pytest.mark.parametrize("path", UPLOADS)
def test_strangers_send_nothing_to_the_pages_that_take_files_of_any_size(path: str) -> None:
    assert send(Client(enforce_csrf_checks=True), path, 10) == 403


@pytest.mark.django_db
def test_staff_may_send_files_of_any_size_to_the_pages_for_them_only(admin_client: Client, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * STRANGERS_MAX_BYTES
    large = SimpleUploadedFile("large.csv", b"0" * (2 * STRANGERS_MAX_BYTES + 1))
    assert admin_client.post("/admin/catalog/product/add/", {"file": large}).status_code == 200
    assert send(admin_client, "/admin/catalog/product/", 2 * STRANGERS_MAX_BYTES + 1) == 413
    visitor = Client()
    visitor.force_login(User.objects.create_user("visitor"))
    assert send(visitor, "/admin/catalog/product/add/", 10) == 403


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/admin/catalog/product/import/",
        f"/admin/catalog/product/import/drafts/{DRAFT}/",
        f"/admin/catalog/product/import/{DRAFT}/run/",
        "/admin/catalog/product/add/",
    ],
)
def test_a_person_whose_session_has_ended_signs_in_and_comes_back(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path, {"a": "b"}, headers={"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")


@pytest.mark.django_db
def test_small_forms_of_strangers_are_read() -> None:
    response = Client().post("/admin/login/", {"username": "nobody", "password": "wrong"})
    assert response.status_code == 200
