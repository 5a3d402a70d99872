"""Bulk edits in the product list: what is computed, previewed and changed, at once or by a job."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, User
from catalog import bulk_edit, events
from catalog.admin import bulk_edit as page
from catalog.bulk_edit import BulkEdit, LeftOut, Operation, PriceChange
from catalog.models import Product
from jobs.models import Job
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db

PRODUCTS = "admin:catalog_product_changelist"


@pytest.fixture
def admin(client: Client) -> Client:
    """A client signed in as superuser."""
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


@pytest.fixture
def changed_products() -> Any:
    """Ids of the products of each event that is sent."""
    seen: list[list[int]] = []

    def note(*, product_ids: list[int], **_: Any) -> None:
        seen.append(product_ids)

    events.products_changed.connect(note)
    yield seen
    events.products_changed.disconnect(note)


def post(client: Client, *products: Product, step: str = "", query: str = "", **fields: str) -> Any:
    data = {"action": "bulk_edit", "_selected_action": [product.pk for product in products], "step": step, **fields}
    return client.post(f"{reverse(PRODUCTS)}{query}", data, follow=True)


def preview_and_confirm(client: Client, *products: Product, query: str = "", **fields: str) -> Any:
    shown = post(client, *products, step="preview", query=query, **fields)
    assert shown.context["plan"] is not None, shown.context["form"].errors
    digest = shown.context["plan"].digest
    return post(client, *products, step="confirm", query=query, digest=digest, **fields)


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def price_of(product: Product) -> Decimal | None:
    return Product.objects.get(pk=product.pk).price


class TestNewPrices:
    @pytest.mark.parametrize(
        ("price", "currency", "operation", "number", "new"),
        [
            ("24.90", "EUR", Operation.SET, "19.99", "19.99"),
            ("24.90", "EUR", Operation.SET, "19.995", "20.00"),
            ("24.90", "EUR", Operation.RAISE_PERCENT, "5", "26.15"),
            ("24.90", "EUR", Operation.LOWER_PERCENT, "15", "21.17"),
            ("1", "EUR", Operation.LOWER_PERCENT, "99.5", "0.01"),
            ("24.90", "EUR", Operation.RAISE_AMOUNT, "0.1", "25.00"),
            ("24.90", "EUR", Operation.LOWER_AMOUNT, "24.90", "0"),
            ("1290", "JPY", Operation.RAISE_PERCENT, "3", "1329"),
            ("12.125", "KWD", Operation.RAISE_PERCENT, "10", "13.338"),
            ("24.90", "EUR", Operation.LOWER_AMOUNT, "24.91", LeftOut.NEGATIVE),
            ("9999999999", "EUR", Operation.RAISE_PERCENT, "1", LeftOut.TOO_HIGH),
            (None, "EUR", Operation.RAISE_PERCENT, "5", LeftOut.NO_PRICE),
            (None, "EUR", Operation.SET, "5", "5"),
        ],
    )
    def test_they_are_rounded_as_the_currency_is_paid(
        self, price: str | None, currency: str, operation: Operation, number: str, new: Any
    ) -> None:
        product = stock(photos=0, price=price, currency=currency)
        values = BulkEdit(price=PriceChange(operation, Decimal(number))).values_for(product)
        assert values == (new if isinstance(new, LeftOut) else {"price": Decimal(new)})

    def test_a_list_price_is_the_price_before_the_change(self) -> None:
        product = stock(photos=0, price="20")
        sale = BulkEdit(
            price=PriceChange(Operation.LOWER_PERCENT, Decimal(25)), list_price=PriceChange(Operation.FROM_PRICE)
        )
        assert sale.values_for(product) == {"price": Decimal(15), "list_price": Decimal(20)}

    def test_what_a_product_has_already_is_not_changed(self) -> None:
        product = stock(photos=0, price="20", available=False)
        assert BulkEdit(PriceChange(Operation.SET, Decimal(20)), available=False).values_for(product) == {}


class TestPage:
    def test_it_asks_first_and_changes_nothing(self, admin: Client) -> None:
        product = stock()
        answer = post(admin, product)
        assert "1 product is chosen." in answer.content.decode()
        assert "Preview" in answer.content.decode()
        assert price_of(product) == Decimal("12.5")

    def test_the_preview_shows_old_and_new_prices_and_changes_nothing(self, admin: Client) -> None:
        product = stock("Blue mug", price="24.90")
        text = post(admin, product, step="preview", price="raise_percent", price_number="10").content.decode()
        assert "<del>€24.90</del> <ins>€27.39</ins>" in text
        assert "Change 1 product" in text
        assert price_of(product) == Decimal("24.9")

    def test_a_confirmed_edit_changes_prices_stock_and_activity(
        self, admin: Client, changed_products: list[list[int]]
    ) -> None:
        one, other, untouched = stock(price="10"), stock(price="20"), stock(price="30")
        changed_products.clear()
        answer = preview_and_confirm(
            admin, one, other, price="lower_percent", price_number="50", list_price="from_price", available="no", active="no"
        )  # fmt: skip
        assert messages_of(answer) == ["2 products were changed."]
        assert [sorted(ids) for ids in changed_products] == [[one.pk, other.pk]]
        rows = Product.objects.order_by("pk").values_list("price", "list_price", "available", "active")
        assert list(map(list, rows)) == [[5, 10, False, False], [10, 20, False, False], [30, None, True, True]]
        assert Product.objects.get(pk=untouched.pk).updated_at == untouched.updated_at

    def test_it_is_in_the_history_of_each_product_and_in_the_audit_log(self, admin: Client) -> None:
        one, other = stock(), stock()
        preview_and_confirm(admin, one, other, available="no")
        entries = LogEntry.objects.filter(object_id__in=[one.pk, other.pk])
        assert [entry.get_change_message() for entry in entries] == ["Changed Available."] * 2
        assert f"rows {one.pk}, {other.pk}" in AuditEntry.objects.latest("pk").detail

    def test_all_products_that_the_list_finds_can_be_changed(self, admin: Client) -> None:
        shirts = [stock("Linen shirt") for _ in range(3)]
        mug = stock("Mug")
        preview_and_confirm(
            admin, shirts[0], query="?q=linen", select_across="1", price="set", price_number="7", currency="x"
        )
        assert [price_of(shirt) for shirt in shirts] == [7, 7, 7]
        assert price_of(mug) == Decimal("12.5")

    def test_products_that_changed_after_the_preview_are_previewed_again(self, admin: Client) -> None:
        product = stock(price="10")
        fields = {"price": "raise_amount", "price_number": "1"}
        digest = post(admin, product, step="preview", **fields).context["plan"].digest
        Product.objects.update(price=20)
        answer = post(admin, product, step="confirm", digest=digest, **fields)
        assert any("differ from the preview" in text for text in messages_of(answer))
        assert "<ins>€21.00</ins>" in answer.content.decode()
        assert price_of(product) == 20

    def test_other_numbers_than_those_of_the_preview_are_previewed_again(self, admin: Client) -> None:
        product = stock(price="10")
        shown = post(admin, product, step="preview", price="set", price_number="1")
        post(admin, product, step="confirm", digest=shown.context["plan"].digest, price="set", price_number="1000")
        assert price_of(product) == 10

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({}, "Choose what to change."),
            ({"price": "set"}, "Enter a number."),
            ({"price": "raise_percent", "price_number": "-5"}, "greater than or equal to 0"),
            ({"price": "lower_percent", "price_number": "101"}, "cannot be lowered by more than 100 percent"),
            ({"price": "double"}, "not one of the available choices"),
            ({"price": "remove"}, "not one of the available choices"),
        ],
    )
    def test_a_mistake_is_named_and_nothing_changes(self, admin: Client, fields: dict[str, str], error: str) -> None:
        product = stock()
        for step in ("preview", "confirm"):
            assert error in post(admin, product, step=step, digest="x", **fields).content.decode()
        assert price_of(product) == Decimal("12.5")

    def test_products_that_cannot_be_changed_are_left_out_with_the_reason(self, admin: Client) -> None:
        cheap, dear, unpriced = stock("Cheap", price="1"), stock("Dear", price="9"), stock("Unpriced", price=None)
        merged = stock("Merged", active=False)
        Product.objects.filter(pk=merged.pk).update(merged_into=dear)
        fields = {"price": "lower_amount", "price_number": "5", "active": "yes"}
        text = post(admin, cheap, dear, unpriced, merged, step="preview", **fields).content.decode()
        for reason in ("the price would be negative", "has no price", "was merged into another product"):
            assert f"1 product is left out: {reason}" in text
        preview_and_confirm(admin, cheap, dear, unpriced, merged, **fields)
        assert [price_of(cheap), price_of(dear), price_of(unpriced)] == [1, 4, None]
        assert not Product.objects.get(pk=merged.pk).active

    def test_it_says_that_there_are_several_currencies_and_list_prices_below_prices(self, admin: Client) -> None:
        products = [stock(price="10", currency="CHF", list_price=Decimal(12)), stock(price="10")]
        text = post(admin, *products, step="preview", price="set", price_number="15").content.decode()
        assert "(CHF, EUR)" in text
        assert "The list price of 1 product will not be above its price." in text

    def test_a_viewer_has_no_bulk_edit(self, client: Client) -> None:
        user = User.objects.create_user("viewer", password="secret", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_product"))
        client.force_login(user)
        product = stock()
        answer = post(client, product, step="preview", available="no")
        assert "bulk_edit" not in answer.content.decode()
        post(client, product, step="confirm", available="no")
        assert Product.objects.get(pk=product.pk).available


class TestManyProducts:
    @pytest.fixture(autouse=True)
    def limits(self, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any) -> None:
        """Three products are many, and a batch has two."""
        settings.UPLOADS_ROOT = tmp_path
        monkeypatch.setattr(page, "MAX_PRODUCTS_AT_ONCE", 2)
        monkeypatch.setattr(bulk_edit, "_BATCH_PRODUCTS", 2)

    def submit(self, admin: Client, products: list[Product]) -> Job:
        answer = preview_and_confirm(admin, *products, price="raise_percent", price_number="10")
        assert re.match(r"5 products are being changed\. .*Show progress", messages_of(answer)[0])
        job = Job.objects.get()
        Job.objects.update(state=Job.State.RUNNING, heartbeat_at=timezone.now(), started_at=timezone.now())
        return job

    def test_a_job_changes_them_in_batches(self, admin: Client, changed_products: list[list[int]]) -> None:
        products = [stock(price="10") for _ in range(5)]
        job = self.submit(admin, products)
        assert job.title == "Change of 5 products"
        assert job.submitted_by == "admin"
        assert {price_of(product) for product in products} == {10}
        changed_products.clear()

        call_command("bulk_edit", "--job", str(job.pk))

        job.refresh_from_db()
        assert (job.state, job.result) == (Job.State.SUCCEEDED, {"products": 5})
        assert {price_of(product) for product in products} == {11}
        assert [len(ids) for ids in changed_products] == [2, 2, 1]
        assert LogEntry.objects.filter(object_id__in=[product.pk for product in products]).count() == 5

    def test_a_job_that_was_interrupted_raises_no_price_twice(
        self, admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        products = [stock(price="10") for _ in range(5)]
        job = self.submit(admin, products)
        apply, calls = bulk_edit.apply_lines, 0

        def apply_until_interrupted(lines: Any, user_id: int) -> int:
            nonlocal calls
            calls += 1
            done = apply(lines, user_id)
            if calls == 2:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(bulk_edit, "apply_lines", apply_until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            call_command("bulk_edit", "--job", str(job.pk))
        assert sorted(price_of(product) or 0 for product in products) == [10, 10, 10, 11, 11]

        call_command("bulk_edit", "--job", str(job.pk))

        assert {price_of(product) for product in products} == {11}
        assert LogEntry.objects.filter(object_id__in=[product.pk for product in products]).count() == 5
        job.refresh_from_db()
        assert job.result == {"products": 5}
