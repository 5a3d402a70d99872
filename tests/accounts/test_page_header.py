"""The header of an admin page: what leads to the page."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("model", "steps"), [("jobs_job", ["Jobs"]), ("catalog_product", ["Catalogue", "Products"])])
def test_no_step_leads_to_one_of_the_same_name(admin_client: Client, model: str, steps: list[str]) -> None:
    page = admin_client.get(reverse(f"admin:{model}_changelist")).content.decode()
    (header,) = re.findall(r'<div[^>]*id="header-inner".*?<h1(.*?)</h1>', page, re.DOTALL)
    texts = [text.strip() for text in re.findall(r">([^<>]+)<", header)]

    assert [text for text in texts if text in ("Catalogue", "Products", "Jobs")] == steps
