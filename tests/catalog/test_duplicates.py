"""Decisions about near-duplicates: they are kept, merged products redirect to the kept one, variants form a family."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from catalog import events
from catalog.decisions import DecisionNotPossible, undo
from catalog.differences import Difference
from catalog.duplicates import (
    MatchEvidence,
    duplicate_groups,
    make_variants,
    mark_as_different,
    merge,
    store_search_result,
)
from catalog.models import DuplicateDecision, DuplicatePair, Product, ProductImage
from catalog.services import attach_image, save_product, withdraw_products
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from tests.catalog.shop import stock
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

Kind, Decision = DuplicatePair.Kind, DuplicatePair.Decision


def evidence(similarity: float = 0.97) -> MatchEvidence:
    return MatchEvidence(Kind.SIMILAR, similarity, 2)


def found(*pairs: tuple[Product, Product], similarity: float = 0.97) -> Any:
    """Record a search that found these pairs, the smaller id first."""
    pairs_of_ids = [tuple(sorted((one.pk, other.pk))) for one, other in pairs]
    return store_search_result(dict.fromkeys(pairs_of_ids, evidence(similarity)), photos=10)


def groups() -> list[set[int]]:
    return [set(group.products) for group in duplicate_groups()]


def again(*products: Product) -> list[Product]:
    return [Product.objects.get(pk=product.pk) for product in products]


class TestGroups:
    def test_pairs_that_hang_together_are_one_group(self) -> None:
        one, two, three, four, five = (stock() for _ in range(5))
        found((one, two), (two, three), (four, five))
        assert sorted(map(sorted, groups())) == [[one.pk, two.pk, three.pk], [four.pk, five.pk]]

    def test_those_most_alike_come_first(self) -> None:
        one, two, three, four = (stock() for _ in range(4))
        store_search_result({(one.pk, two.pk): evidence(0.9), (three.pk, four.pk): evidence(0.99)}, photos=4)
        assert groups() == [{three.pk, four.pk}, {one.pk, two.pk}]

    def test_the_pairs_of_a_group_come_one_by_one_the_most_similar_first(self) -> None:
        one, two, three = (stock() for _ in range(3))
        store_search_result({(one.pk, two.pk): evidence(0.9), (two.pk, three.pk): evidence(0.95)}, photos=3)
        (group,) = duplicate_groups()
        assert [(pair.first, pair.second) for pair in group.pairs] == [(two.pk, three.pk), (one.pk, two.pk)]
        assert group.similarity == 0.95

    def test_a_chain_is_divided_at_its_weak_edges_and_no_pair_is_lost(self) -> None:
        watches = [stock() for _ in range(13)]
        chain = list(pairwise(watches))
        found(*chain)
        assert max(map(len, groups())) == 3
        pairs = [{pair.first, pair.second} for group in duplicate_groups() for pair in group.pairs]
        assert sorted(map(sorted, pairs)) == [[one.pk, two.pk] for one, two in chain]

    def test_products_that_are_all_alike_stay_together(self) -> None:
        mugs = [stock() for _ in range(5)]
        found(*combinations(mugs, 2))
        assert groups() == [{mug.pk for mug in mugs}]

    @pytest.mark.parametrize(
        ("own", "others", "differences"),
        [
            ({"category": ("Home", "Mugs")}, {"category": ("Office",)}, {Difference.CATEGORY}),
            ({"category": ("Home",)}, {"category": ("Home", "Mugs")}, set()),
            ({"price": "10"}, {"price": "19.90"}, {Difference.PRICE}),
            ({"price": "10"}, {"price": "19.90", "currency": "CHF"}, set()),
            ({"price": "10"}, {"price": None}, set()),
            ({"attributes": {"colour": "navy"}}, {"attributes": {"Farbe": "Rot"}}, {Difference.COLOUR}),
            ({"attributes": {"colour": "Rouge"}}, {"attributes": {"color": "red"}}, set()),
        ],
    )
    def test_what_speaks_against_a_pair_is_said(self, own: Any, others: Any, differences: set[Difference]) -> None:
        found((stock("Mug", **own), stock("Cup", **others)))
        ((pair,),) = [group.pairs for group in duplicate_groups()]
        assert pair.differences == differences

    def test_products_that_differ_are_in_no_group_with_those_that_do_not(self) -> None:
        one, two, red = stock("Blue mug"), stock("Mug, blue"), stock("Red mug")
        found((one, two), (one, red), (two, red), similarity=0.95)
        assert groups() == [{one.pk, two.pk}, {one.pk, red.pk}, {two.pk, red.pk}]

    def test_a_product_that_was_withdrawn_is_in_none(self) -> None:
        one, two = stock(), stock()
        found((one, two))
        withdraw_products([two.pk])
        assert groups() == []

    def test_a_pair_has_its_order_and_stands_once(self) -> None:
        one, two = stock(), stock()
        with pytest.raises(IntegrityError), transaction.atomic():
            DuplicatePair.objects.create(first=two, second=one)


class TestSearches:
    def test_a_second_search_adds_what_is_new_and_drops_what_no_longer_holds(self) -> None:
        one, two, three = stock(), stock(), stock()
        assert (found((one, two)).new, groups()) == (1, [{one.pk, two.pk}])
        recorded = found((two, three))
        assert (recorded.new, recorded.dropped, recorded.open) == (1, 1, 1)
        assert groups() == [{two.pk, three.pk}]

    def test_how_alike_two_are_follows_their_photos(self) -> None:
        one, two = stock(), stock()
        found((one, two), similarity=0.91)
        assert found((one, two), similarity=0.99).new == 0
        assert duplicate_groups()[0].similarity == 0.99

    @pytest.mark.parametrize("decide", [mark_as_different, lambda ids: make_variants(ids[0], ids)])
    def test_what_was_decided_is_never_asked_again(self, decide: Any) -> None:
        one, two, three = stock(), stock(), stock()
        found((one, two), (two, three))
        decide([one.pk, two.pk, three.pk])
        recorded = found((one, two), (two, three), (one, three))
        assert (recorded.new, groups()) == (0, [])

    def test_a_decision_stays_though_the_photos_are_no_longer_alike(self) -> None:
        one, two = stock(), stock()
        found((one, two))
        mark_as_different([one.pk, two.pk])
        assert found().dropped == 0
        assert DuplicatePair.objects.get().decision == Decision.DIFFERENT

    def test_a_product_that_was_deleted_meanwhile_is_passed_over(self) -> None:
        one, two = stock(), stock()
        Product.objects.filter(pk=two.pk).delete()
        assert store_search_result({(one.pk, two.pk): evidence()}, photos=2).new == 0


class TestDifferent:
    def test_the_others_of_a_group_still_wait(self) -> None:
        one, two, three = stock(), stock(), stock()
        found((one, two), (two, three))
        mark_as_different([one.pk, two.pk])
        assert groups() == [{two.pk, three.pk}]

    @pytest.mark.parametrize("number", [0, 1])
    def test_it_takes_two(self, number: int) -> None:
        with pytest.raises(DecisionNotPossible, match="at least two"):
            mark_as_different([stock().pk for _ in range(number)])


class TestVariants:
    def test_a_family_is_a_main_product_and_its_variants(self) -> None:
        one, two, three = stock(), stock(), stock()
        make_variants(two.pk, [one.pk, two.pk, three.pk])
        assert [product.variant_of for product in again(one, two, three)] == [two, None, two]

    def test_families_are_united_with_all_their_variants(self) -> None:
        one, two, three, four = (stock() for _ in range(4))
        make_variants(one.pk, [two.pk])
        make_variants(three.pk, [four.pk])
        make_variants(four.pk, [two.pk])
        assert [product.variant_of for product in again(one, two, three, four)] == [four, four, four, None]

    def test_there_are_no_variants_of_variants(self) -> None:
        one, two, three = stock(), stock(), stock()
        make_variants(one.pk, [two.pk])
        for product, main in ((three, two), (one, three), (three, three)):
            product.variant_of = Product.objects.get(pk=main.pk)
            with pytest.raises(ValidationError, match="variant"):
                product.full_clean()

    def test_a_family_without_its_main_product_is_none(self) -> None:
        one, two = stock(), stock()
        make_variants(one.pk, [two.pk])
        Product.objects.get(pk=one.pk).delete()
        assert again(two)[0].variant_of is None


class TestMerge:
    def test_the_kept_product_takes_over_photos_behind_its_own(self) -> None:
        kept, other = stock(photos=2), stock(photos=2)
        own, taken = list(kept.images.all()), list(other.images.all())
        merge(kept.pk, [kept.pk, other.pk])
        assert list(kept.images.all()) == [*own, *taken]
        assert not other.images.exists()

    def test_the_same_bytes_are_kept_once(self, django_capture_on_commit_callbacks: Any) -> None:
        kept, other = stock(), stock()
        shared = validate_photo(jpeg("tomato"))
        attach_image(kept, shared)
        twin, _ = attach_image(other, shared)
        with django_capture_on_commit_callbacks(execute=True):
            merge(kept.pk, [other.pk])
        assert kept.images.count() == 3
        assert not ProductImage.objects.filter(pk=twin.pk).exists()
        assert all(image.file.storage.exists(image.file.name) for image in kept.images.all())

    def test_empty_fields_are_filled_and_tags_united(self) -> None:
        kept = stock(price=None, tags=["blue", "cup"], attributes={"colour": "blue"}, category=())
        other = stock(
            price="9.90", currency="CHF", description="Holds 350 ml.", brand="Pier", tags=["cup", "gift"],
            attributes={"colour": "navy", "size": "S"},
        )  # fmt: skip
        merged = merge(kept.pk, [other.pk])
        assert (merged.price, merged.currency, merged.description) == (Decimal("9.90"), "CHF", "Holds 350 ml.")
        assert (merged.brand, merged.category) == ("Pier", other.category)
        assert merged.tags == ["blue", "cup", "gift"]
        assert merged.attributes == {"colour": "blue", "size": "S"}

    def test_what_the_kept_product_says_itself_stays(self) -> None:
        kept, other = stock("Blue mug", price="12.50"), stock("Navy mug", price="9.90", description="Another")
        merged = merge(kept.pk, [other.pk])
        assert (merged.title, merged.price, merged.sku) == ("Blue mug", Decimal("12.50"), kept.sku)

    def test_the_old_address_leads_to_the_kept_product(self, client: Client) -> None:
        kept, other, third = stock("Blue mug"), stock("Navy mug"), stock("Mug")
        merge(kept.pk, [other.pk])
        merge(third.pk, [kept.pk])
        for gone in (kept, other):
            answer = client.get(gone.get_absolute_url())
            assert (answer.status_code, answer["Location"]) == (301, third.get_absolute_url())

    def test_its_variants_become_variants_of_the_kept_product(self) -> None:
        kept, other, variant = stock(), stock(), stock()
        make_variants(other.pk, [variant.pk])
        merge(kept.pk, [other.pk])
        assert [product.variant_of for product in again(kept, other, variant)] == [None, None, kept]

    def test_a_main_product_that_goes_leaves_its_family_to_the_kept_variant(self) -> None:
        main, kept, variant = stock(), stock(), stock()
        make_variants(main.pk, [kept.pk, variant.pk])
        merge(kept.pk, [main.pk])
        assert [product.variant_of for product in again(main, kept, variant)] == [None, None, kept]

    def test_what_was_decided_of_it_holds_of_the_kept_product(self) -> None:
        kept, other, stranger, waiting = (stock() for _ in range(4))
        found((kept, other), (other, stranger), (other, waiting))
        mark_as_different([other.pk, stranger.pk])
        merge(kept.pk, [other.pk])
        assert found((kept, stranger), (kept, waiting)).new == 0
        assert groups() == [{kept.pk, waiting.pk}]

    def test_products_that_are_gone_are_named(self) -> None:
        kept, other = stock(), stock()
        merge(kept.pk, [other.pk])
        with pytest.raises(DecisionNotPossible, match="merged or withdrawn"):
            merge(kept.pk, [other.pk])
        with pytest.raises(DecisionNotPossible, match="deleted"):
            merge(kept.pk, [999_999])

    def test_a_merged_product_cannot_be_made_active(self) -> None:
        kept, other = stock(), stock()
        merge(kept.pk, [other.pk])
        (merged,) = again(other)
        merged.active = True
        with pytest.raises(ValidationError, match="stays inactive"):
            merged.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            merged.save()


def undo_last() -> None:
    undo(DuplicateDecision.objects.latest("pk").pk)


def everything() -> Any:
    """What decisions change, for comparing before and after."""
    products = Product.objects.order_by("pk").values_list(
        "pk",
        "description",
        "category",
        "brand",
        "price",
        "currency",
        "tags",
        "attributes",
        "active",
        "variant_of",
        "merged_into",
    )
    images = ProductImage.objects.order_by("product", "position").values_list(
        "product", "position", "sha256", "alt", "file", "role", "from_merged_product"
    )
    pairs = DuplicatePair.objects.order_by("first", "second").values_list(
        "first", "second", "kind", "similarity", "decision"
    )
    return [list(rows) for rows in (products, images, pairs)]


class TestUndo:
    def test_a_merge_is_undone_with_photos_fields_families_and_pairs(self) -> None:
        kept = stock(price=None, tags=["blue"], attributes={}, category=())
        other = stock(price="9.90", description="Holds 350 ml.", brand="Pier", tags=["gift"], photos=2)
        variant, earlier, stranger, waiting = stock(), stock(), stock(), stock()
        make_variants(other.pk, [variant.pk])
        merge(other.pk, [earlier.pk])
        shared = validate_photo(jpeg("tomato"))
        attach_image(kept, shared)
        attach_image(other, shared, alt="Its own words")
        found((kept, other), (other, stranger), (other, waiting))
        mark_as_different([other.pk, stranger.pk])
        before = everything()
        merge(kept.pk, [other.pk])
        assert everything() != before
        undo_last()
        assert everything() == before
        assert all(image.file.storage.exists(image.file.name) for image in other.images.all())

    @pytest.mark.parametrize("decide", [mark_as_different, lambda ids: make_variants(ids[0], ids)])
    def test_the_others_are_undone_too(self, decide: Any) -> None:
        one, two, three = stock(), stock(), stock()
        found((one, two))
        before = everything()
        decide([one.pk, two.pk, three.pk])
        undo_last()
        assert everything() == before

    def test_what_was_changed_since_stays(self) -> None:
        kept, other = stock(price=None), stock(price="9.90", description="Holds 350 ml.")
        merge(kept.pk, [other.pk])
        Product.objects.filter(pk=kept.pk).update(description="Holds 400 ml.")
        undo_last()
        (again_kept,) = again(kept)
        assert (again_kept.description, again_kept.price) == ("Holds 400 ml.", None)

    def test_a_product_that_moved_to_another_family_since_stays_there(self) -> None:
        main, moved, stays, elsewhere = stock(), stock(), stock(), stock()
        make_variants(main.pk, [main.pk, moved.pk, stays.pk])
        Product.objects.filter(pk=moved.pk).update(variant_of=elsewhere)
        undo_last()
        assert [product.variant_of_id for product in again(main, moved, stays)] == [None, elsewhere.pk, None]

    def test_no_variant_of_a_variant_comes_of_it(self) -> None:
        former, moved, kept, elsewhere = stock(), stock(), stock(), stock()
        make_variants(former.pk, [former.pk, moved.pk])
        merge(kept.pk, [moved.pk])
        Product.objects.filter(pk=former.pk).update(variant_of=elsewhere)
        undo_last()
        (again_moved,) = again(moved)
        assert again_moved.variant_of_id != former.pk

    def test_the_index_hears_of_it(self) -> None:
        kept, other = stock(), stock()
        merge(kept.pk, [other.pk])
        changed: list[int] = []
        receiver = lambda product_ids, **_: changed.extend(product_ids)  # noqa: E731
        events.products_changed.connect(receiver)
        try:
            undo_last()
        finally:
            events.products_changed.disconnect(receiver)
        assert {kept.pk, other.pk} <= set(changed)

    def test_what_cannot_be_undone_is_said_and_nothing_changes(self) -> None:
        one, two, three, four = stock(), stock(), stock(), stock()
        merge(one.pk, [two.pk])
        first = DuplicateDecision.objects.latest("pk")
        merge(three.pk, [one.pk])
        with pytest.raises(DecisionNotPossible, match="merged again"):
            undo(first.pk)
        undo_last()
        undo(first.pk)
        assert [product.active for product in again(one, two, three)] == [True] * 3
        with pytest.raises(DecisionNotPossible, match="already"):
            undo(first.pk)
        merge(three.pk, [four.pk])
        Product.objects.get(pk=four.pk).delete()
        with pytest.raises(DecisionNotPossible, match="deleted"):
            undo_last()


class TestTheNextImport:
    @pytest.fixture
    def feed(self, tmp_path: Path) -> Path:
        """Two products with a photo each, as their source delivers them every night."""
        for number, colour in enumerate(("red", "green"), start=1):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg(colour))
        feed = tmp_path / "feed.csv"
        feed.write_text("sku,title,image\nM-1,Red mug,1.jpg\nM-2,Crimson mug,2.jpg\n")
        return feed

    def test_does_not_bring_a_merged_product_back_nor_take_its_photos_away(self, feed: Path) -> None:
        call_command("import_catalog", str(feed), source="feed", deactivate_missing=True)
        kept, other = Product.objects.order_by("sku")
        merge(kept.pk, [other.pk])
        before = list(kept.images.values_list("pk", flat=True))
        call_command("import_catalog", str(feed), source="feed", deactivate_missing=True)
        (merged,) = again(other)
        assert (merged.active, merged.merged_into, merged.images.count()) == (False, kept, 0)
        assert list(kept.images.values_list("pk", flat=True)) == before
        assert len(before) == 2

    def test_changes_the_kept_product_by_its_own_row_alone(self) -> None:
        kept, other = stock("Red mug"), stock("Crimson mug")
        merge(kept.pk, [other.pk])
        save_product(ProductData(sku=kept.sku, title="Ruby mug"))
        save_product(ProductData(sku=other.sku, title="Scarlet mug"))
        assert [product.title for product in again(kept, other)] == ["Ruby mug", "Crimson mug"]
