"""Exports of shop systems come in by clicking alone: choose the file, look at it, have it checked, import it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from catalog.importers.submission import IMPORT
from catalog.models import Product
from jobs.models import Job
from tests.browser.pages import work_off
from tests.zips import packed

pytestmark = pytest.mark.django_db(transaction=True)

# The file, what it is read as, products, those with a photo, and the main products of families.
EXPORTS = [
    ("woo.csv", "WooCommerce", 8, 4, {"par-1"}),
    ("magento.csv", "Magento", 3, 3, {"MH"}),
    ("shopify_new.csv", "Shopify", 3, 0, {"LD-S"}),
]


@pytest.mark.parametrize(("name", "system", "products", "with_photo", "mains"), EXPORTS, ids=lambda value: str(value))
def test_an_export_of_a_shop_system(
    page: Page,
    shop_url: str,
    sign_in: Callable[[User], None],
    real_data: Path,
    name: str,
    system: str,
    products: int,
    with_photo: int,
    mains: set[str],
) -> None:
    sign_in(User.objects.create_superuser("owner", password="secret"))
    cases = real_data / "cases" / "catalogue"
    images = {
        f"images/{path.relative_to(cases / 'images')}": path.read_bytes() for path in cases.glob("images/**/*.jpg")
    }
    archive = packed({name: (cases / name).read_bytes(), **images})

    page.goto(f"{shop_url}/admin/catalog/product/")
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "export.zip", "mimeType": "application/zip", "buffer": archive}
    )
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page.get_by_text(f"Read as: export of {system}")).to_be_visible()
    expect(page.locator(".products li")).to_have_count(products)
    page.get_by_role("button", name="Check the whole file").click()
    work_off(Job.objects.get(kind=IMPORT, state=Job.State.QUEUED))
    page.get_by_role("button", name="Import these").click()
    expect(page.locator("#job-state")).to_have_text("queued")
    work_off(Job.objects.get(kind=IMPORT, state=Job.State.QUEUED))

    page.get_by_role("link", name="See the products").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(products)
    assert Product.objects.count() == products
    assert Product.objects.filter(images__isnull=False).distinct().count() == with_photo
    assert {product.sku for product in Product.objects.filter(variants__isnull=False)} == mains
