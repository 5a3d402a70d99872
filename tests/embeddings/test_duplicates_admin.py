"""Near-duplicates in the back office: what the page shows, what can be decided on it, and by whom."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from catalog.duplicates import MatchEvidence, make_variants, merge, store_search_result
from catalog.models import DuplicateDecision, DuplicatePair, Product
from embeddings.admin import duplicates
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db

PAGE = "admin:catalog_duplicatepair_changelist"
Kind, Decision = DuplicatePair.Kind, DuplicatePair.Decision


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def somebody(*permissions: str) -> Client:
    """Somebody who may do this with products, and no more."""
    user = User.objects.create_user("somebody", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="catalog"))
    client = Client()
    client.force_login(user)
    return client


def twins(title: str = "Blue mug", *, kind: str = Kind.SIMILAR, similarity: float = 0.978) -> tuple[Product, Product]:
    """Two products that were found to be alike, besides those found before."""
    one, other = stock(title, photos=2), stock(f"{title}, again", photos=1)
    known = {
        (pair.first_id, pair.second_id): MatchEvidence(Kind(pair.kind), pair.similarity, pair.hash_distance)
        for pair in DuplicatePair.objects.filter(decision=Decision.OPEN)
    }
    store_search_result(known | {(one.pk, other.pk): MatchEvidence(Kind(kind), similarity, 3)}, photos=3)
    return one, other


def shown(client: Client, **params: Any) -> str:
    return str(client.get(reverse(PAGE), params).content.decode())


def decide(client: Client, decision: str, *products: Product, main: Product | None = None, **more: Any) -> list[str]:
    """What the page says after the decision."""
    form = {"decision": decision, "product": [product.pk for product in products], **more}
    if main is not None:
        form["main"] = main.pk
    answer = client.post(reverse("admin:catalog_duplicatepair_decide"), form, follow=True)
    return [str(message) for message in answer.context["messages"]]


def three_alike() -> None:
    mugs = [stock(f"Mug {number}") for number in range(3)]
    alike = MatchEvidence(Kind.SIMILAR, 0.97, 2)
    store_search_result({(one.pk, other.pk): alike for one, other in combinations(mugs, 2)}, photos=3)


def undo(client: Client, made: DuplicateDecision) -> list[str]:
    answer = client.post(reverse("admin:catalog_duplicatepair_undo"), {"made": made.pk}, follow=True)
    return [str(message) for message in answer.context["messages"]]


class TestThePage:
    def test_a_group_shows_its_products_side_by_side(self, admin: Client) -> None:
        one, other = twins()
        page = shown(admin)
        assert "2 products, 97% alike" in page
        assert page.count("/thumbs/320/") == 3
        assert "97%: similar photo" in page
        for product in (one, other):
            assert reverse("admin:catalog_product_change", args=[product.pk]) in page
            assert product.sku in page
        assert page.count("€12.50") == 2
        assert page.count("home/mugs") == 2

    def test_it_says_how_alike_they_are_in_words(self, admin: Client) -> None:
        twins(kind=Kind.SAME_FILE, similarity=1)
        twins("Hat", kind=Kind.MIRRORED)
        twins("Cup", kind=Kind.TEXT, similarity=0.93)
        page = shown(admin)
        assert "93%: similar text" in page
        assert "100%: identical photo" in page
        assert "97%: similar photo, mirrored" in page

    def test_it_says_when_somebody_looked_last_and_how_to_look_again(self, admin: Client) -> None:
        assert "No search has run yet." in shown(admin)
        store_search_result({}, photos=12)
        page = shown(admin)
        assert ", 12 photos." in page
        assert "Search for near-duplicates" in page
        assert "No near-duplicates to review." in page

    def test_many_groups_are_divided_into_pages(self, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(duplicates, "GROUPS_PER_PAGE", 2)
        for number in range(3):
            twins(f"Mug {number}", similarity=0.99 - number / 100)
        assert "Mug 0" in shown(admin)
        assert "Mug 2" not in shown(admin)
        assert "Mug 2" in shown(admin, page=2)
        assert "Mug 2" in shown(admin, page=99)

    def test_of_a_large_group_the_first_pairs_are_shown(self, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(duplicates, "PAIRS_SHOWN", 1)
        three_alike()
        assert "2 more pairs are shown when these are decided on." in shown(admin)

    def test_of_a_group_the_pair_alone_is_ticked(self, admin: Client) -> None:
        three_alike()
        page = shown(admin)
        forms = re.findall(r"<form [^>]*duplicatepair/decide/.*?</form>", page, re.DOTALL)
        assert len(forms) == 3
        for form in forms:
            boxes = re.findall(r'<input type="checkbox"[^>]*>', form)
            assert [" checked" in box for box in boxes] == [True, True, False]

    def test_a_pair_that_differs_has_a_warning(self, admin: Client) -> None:
        _, other = twins()
        assert "Probably not the same" not in shown(admin)
        Product.objects.filter(pk=other.pk).update(title="Red mug", price="99")
        assert "Probably not the same:" in (page := shown(admin))
        assert "different colours, different prices" in page

    def test_it_takes_as_many_queries_for_five_groups_as_for_one(self, admin: Client) -> None:
        twins()
        shown(admin)  # what is read once in a process is read
        with CaptureQueriesContext(connection) as few:
            shown(admin)
        for number in range(4):
            twins(f"Mug {number}")
        with CaptureQueriesContext(connection) as many:
            shown(admin)
        assert len(many) == len(few)

    def test_titles_are_text_and_nothing_else(self, admin: Client) -> None:
        twins("<script>alert(1)</script>")
        assert "<script>alert(1)" not in shown(admin)

    def test_the_product_list_leads_to_it(self, admin: Client) -> None:
        address = reverse("admin:catalog_product_changelist")
        assert "Near-duplicates" in admin.get(address).content.decode()


class TestUndo:
    def test_a_merge_is_undone_from_the_page(self, admin: Client) -> None:
        one, other = twins()
        decide(admin, "merge", one, other, main=one)
        (made,) = DuplicateDecision.objects.all()
        assert "Undo “merged” of Blue mug, Blue mug, again" in shown(admin)
        assert undo(admin, made) == ["Undone: “merged”."]
        assert Product.objects.get(pk=other.pk).active
        assert "2 products, 97% alike" in (page := shown(admin))
        assert "Latest decisions" not in page
        assert undo(admin, made) == ["This decision was undone already. Reload the page."]

    def test_who_may_not_merge_undoes_no_merge(self) -> None:
        one, other = twins()
        merge(one.pk, [other.pk])
        client = somebody("view_product", "change_product")
        made = DuplicateDecision.objects.get()
        assert "Undo “merged”" not in shown(client)
        assert client.post(reverse("admin:catalog_duplicatepair_undo"), {"made": made.pk}).status_code == 403
        assert not Product.objects.get(pk=other.pk).active


class TestDecisions:
    def test_merging_keeps_the_main_product(self, admin: Client) -> None:
        one, other = twins()
        assert decide(admin, "merge", one, other, main=other) == ["1 product was merged into “Blue mug, again”."]
        assert (Product.objects.get(pk=one.pk).merged_into, other.images.count()) == (other, 3)
        assert "No near-duplicates to review" in shown(admin)

    def test_different_products_are_never_shown_again(self, admin: Client) -> None:
        one, other = twins()
        assert decide(admin, "different", one, other) == ["Saved: these are different products."]
        assert store_search_result({(one.pk, other.pk): MatchEvidence(Kind.SIMILAR, 0.99, 0)}, photos=2).open == 0
        assert "No near-duplicates to review" in shown(admin)

    def test_variants_get_a_main_product(self, admin: Client) -> None:
        one, other = twins()
        assert decide(admin, "variants", one, other, main=one) == ["1 product is a variant of “Blue mug” now."]
        assert Product.objects.get(pk=other.pk).variant_of == one

    def test_only_the_chosen_are_decided_on(self, admin: Client) -> None:
        one, other = twins()
        third = stock("Third")
        store_search_result(
            {
                (one.pk, other.pk): MatchEvidence(Kind.SIMILAR, 0.9, 0),
                (other.pk, third.pk): MatchEvidence(Kind.SIMILAR, 0.9, 0),
            },
            photos=3,
        )
        decide(admin, "merge", one, other, main=one)
        assert "2 products" in shown(admin)
        assert Product.objects.get(pk=third.pk).active

    @pytest.mark.parametrize(
        ("decision", "number", "message"),
        [
            ("different", 1, "Choose at least two products."),
            ("merge", 2, "Choose the main product."),
            ("", 2, "Choose the main product."),
        ],
    )
    def test_what_is_missing_is_said(self, admin: Client, decision: str, number: int, message: str) -> None:
        assert decide(admin, decision, *twins()[:number]) == [message]
        assert DuplicatePair.objects.get().decision == Decision.OPEN

    @pytest.mark.parametrize("values", [["x"], ["-1"], ["9" * 40], ["²"]])
    def test_numbers_that_are_none_choose_nothing(self, admin: Client, values: list[str]) -> None:
        twins()
        answer = admin.post(reverse("admin:catalog_duplicatepair_decide"), {"decision": "different", "product": values})
        assert answer.status_code == 302

    def test_it_goes_back_to_the_same_page(self, admin: Client) -> None:
        answer = admin.post(reverse("admin:catalog_duplicatepair_decide"), {"decision": "different", "page": "3"})
        assert answer["Location"] == f"{reverse(PAGE)}?page=3"


class TestPermissions:
    def test_who_may_only_look_at_products_sees_none(self) -> None:
        client = somebody("view_product")
        one, other = twins()
        assert client.get(reverse(PAGE)).status_code == 403
        form = {"decision": "different", "product": [one.pk, other.pk]}
        assert client.post(reverse("admin:catalog_duplicatepair_decide"), form).status_code == 403
        assert reverse(PAGE) not in client.get(reverse("admin:catalog_product_changelist")).content.decode()

    def test_who_may_change_products_decides_but_merges_none(self) -> None:
        client = somebody("view_product", "change_product")
        one, other = twins()
        page = shown(client)
        assert "Different products" in page
        assert "Merge into" not in page
        form = {"decision": "merge", "product": [one.pk, other.pk], "main": one.pk}
        assert client.post(reverse("admin:catalog_duplicatepair_decide"), form).status_code == 403
        assert Product.objects.get(pk=other.pk).active
        assert decide(client, "different", one, other) == ["Saved: these are different products."]

    def test_who_may_delete_them_too_merges(self) -> None:
        client = somebody("view_product", "change_product", "delete_product")
        one, other = twins()
        assert decide(client, "merge", one, other, main=one) == ["1 product was merged into “Blue mug”."]

    def test_a_stranger_is_asked_to_sign_in(self, client: Client) -> None:
        assert "/login/" in client.get(reverse(PAGE))["Location"]

    def test_nothing_is_decided_by_a_link_or_a_form_from_elsewhere(self, admin: Client) -> None:
        assert admin.get(reverse("admin:catalog_duplicatepair_decide")).status_code == 405
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.get(username="admin"))
        assert strict.post(reverse("admin:catalog_duplicatepair_decide"), {"decision": "different"}).status_code == 403


class TestTheProductsPage:
    def test_it_shows_what_a_product_is_a_variant_of(self, admin: Client) -> None:
        one, other = stock("Blue mug"), stock("Green mug")
        make_variants(one.pk, [other.pk])
        page = admin.get(reverse("admin:catalog_product_change", args=[other.pk])).content.decode()
        assert "Variant of" in page
        assert f'<option value="{one.pk}" selected>Blue mug</option>' in page

    def test_a_merged_product_names_the_one_that_was_kept(self, admin: Client) -> None:
        one, other = twins("Blue mug")
        assert "Merged into" not in admin.get(reverse("admin:catalog_product_change", args=[one.pk])).content.decode()
        decide(admin, "merge", one, other, main=other)
        page = admin.get(reverse("admin:catalog_product_change", args=[one.pk])).content.decode()
        assert "Merged into" in page
        assert "Blue mug, again" in page
