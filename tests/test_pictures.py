"""The tour shows all pictures, and there is one of each page that the side bar of the admin leads to."""

from __future__ import annotations

import re

import pytest
from django.test import RequestFactory

from accounts.models import User
from docs.screenshots import ADMIN, IMAGES, PICTURES
from lookalike.environment import BASE_DIR
from recommender.admin.sidebar import pages

TOUR = (BASE_DIR / "docs" / "tour.md").read_text()
MAX_BYTES = 4_000_000


def test_the_tour_shows_each_picture_that_is_taken() -> None:
    shown = re.findall(r"images/([\w-]+)\.png", TOUR)
    assert sorted(shown) == sorted(picture.name for picture in PICTURES)
    assert {path.stem for path in IMAGES.glob("*.png")} == {*shown}


def test_each_page_of_the_side_bar_has_a_picture() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True, is_active=True)
    assert {page.url for page in pages(request)} <= {picture.path for picture in ADMIN}


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MAX_BYTES


@pytest.mark.parametrize("name", ["visual-search", "visual-search-phone", "everything"])
def test_what_is_seen_first_is_in_the_docs_of_its_feature(name: str) -> None:
    guides = "".join(path.read_text() for path in (BASE_DIR / "docs" / "how-to").glob("*.md"))
    assert f"../images/{name}.png" in guides
