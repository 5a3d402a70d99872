"""A shop's own colours: on its pages, in the admin and in the snippet, and what colours are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.contrast import AA, contrast, readable, text_upon
from lookalike import environment
from lookalike.environment import DARK_GROUNDS, LIGHT_GROUNDS, Environment
from tests.catalog.shop import stock

BLUE, SKY = "#0b5394", "#8ab8e6"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Environment]:
    """Reads the environment with these variables."""
    (tmp_path / "env").touch()

    def read(**variables: str) -> Environment:
        for name, value in {"ENV_FILE": str(tmp_path / "env"), **variables}.items():
            monkeypatch.setenv(name, value)
        return environment.read()

    return read


@pytest.fixture
def branded(settings: Any) -> None:
    """A shop with colours of its own."""
    settings.BRAND_COLOUR, settings.BRAND_COLOUR_DARK = BLUE, SKY


@pytest.mark.django_db
@pytest.mark.usefixtures("branded")
def test_the_storefront_loads_the_colours_of_the_shop() -> None:
    page = Client().get("/").content.decode()
    (address,) = re.findall(r'<link rel="stylesheet" href="(/brand\.css\?[^"]+)">', page)

    style = Client().get(address)

    assert style.headers["Content-Type"].startswith("text/css")
    assert f"--accent: {BLUE}; --on-accent: #ffffff" in style.content.decode()
    assert f"(prefers-color-scheme: dark) {{ :root {{ --accent: {SKY}; --on-accent: #000000" in style.content.decode()


@pytest.mark.django_db
def test_without_a_colour_nothing_more_is_loaded() -> None:
    assert "brand.css" not in Client().get("/").content.decode()
    assert Client().get("/brand.css").content == b""


@pytest.mark.django_db
@pytest.mark.usefixtures("branded")
def test_the_admin_and_the_snippet_have_the_colours_of_the_shop() -> None:
    stock("Blue mug", photos=0)
    client = Client()
    client.force_login(User.objects.create_superuser("owner", "owner@shop.example", "secret"))

    page = client.get(reverse("admin:embed"), {"sku": "x"}).content.decode()

    assert "--color-primary-600: rgb(11, 83, 148);" in page
    assert "--color-primary-500: rgb(138, 184, 230);" in page
    assert f'value="{BLUE}"' in page


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"BRAND_COLOUR": "blue"}, "BRAND_COLOUR='blue' should be a colour like #1f5d4c"),
        ({"BRAND_COLOUR": "#0b539"}, "should be a colour like #1f5d4c"),
        ({"BRAND_COLOUR": "#ffcc00"}, "on light pages, where text needs 4.5:1 (WCAG AA): #"),
        ({"BRAND_COLOUR": BLUE, "BRAND_COLOUR_DARK": "#0b5394"}, "on dark pages, where text needs 4.5:1 (WCAG AA): #"),
        ({"BRAND_COLOUR_DARK": SKY}, "is set, and BRAND_COLOUR is not"),
    ],
)
def test_a_colour_that_cannot_be_read_is_refused_with_what_to_set(
    read: Callable[..., Environment], variables: dict[str, str], message: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        read(**variables)
    assert message in str(error.value)


def test_the_colour_that_the_message_names_is_taken(read: Callable[..., Environment]) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        read(BRAND_COLOUR="#ffcc00")
    (nearest,) = re.findall(r"(#[0-9a-f]{6}) is the nearest", str(error.value))
    taken = read(BRAND_COLOUR=nearest).BRAND_COLOUR
    assert taken == nearest


def test_the_colour_of_dark_pages_follows_from_that_of_light_ones(read: Callable[..., Environment]) -> None:
    assert read().BRAND_COLOUR_DARK == ""
    dark = read(BRAND_COLOUR=BLUE.upper()).BRAND_COLOUR_DARK
    assert min(contrast(dark, ground) for ground in DARK_GROUNDS) >= AA


def test_contrasts_are_those_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert text_upon("#ffcc00") == "#000000"
    assert readable(BLUE, *LIGHT_GROUNDS) == BLUE
