"""What the overview says of learning and of A/B tests."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from accounts.models import User
from recommender.models import Experiment
from tests.recommender.conftest import Shop
from tests.recommender.learning.conftest import Strip, store_visits

pytestmark = pytest.mark.django_db


def text_of(client: Client) -> str:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    page = client.get(reverse("admin:index")).content.decode()
    return " ".join(unescape(strip_tags(page.replace("<", " <"))).split())


def test_what_was_learned_is_said_in_words(client: Client, strip: Strip, learning: Any) -> None:
    store_visits(strip, liked=strip.results[5])
    call_command("learn")
    text = text_of(client)
    assert "strips are in the learned order; the replay found it better: +" in text
    assert "% as much as the first. Learned on" in text
    assert "all: learned order against visual order, 95% of products and hours: running" in text


def test_while_it_is_off_the_page_says_so(client: Client, strip: Strip) -> None:
    store_visits(strip, liked=strip.results[5])
    call_command("learn")
    text = text_of(client)
    assert "The setting LEARNING is off: all strips are in the visual order" in text
    assert "strips are in the visual order; the replay" in text


def test_without_anything_learned_there_is_no_section(client: Client, shop: Shop) -> None:
    assert "Learning from clicks" not in text_of(client)
    assert not Experiment.objects.exists()
