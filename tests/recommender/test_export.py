"""What manage.py export_similar writes, and which answers it computes again."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.changes import ProductChange, patch_product
from catalog.duplicates import make_variants
from catalog.models import Product, ProductImage
from catalog.services import remove_images, withdraw_products
from embeddings.backends import get_vector_index
from embeddings.indexing import process_outbox
from embeddings.vector_index.edge import EdgeVectorIndex
from recommender.export import run
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, GREEN, PINK, RED, REDDISH


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "similar"


def export(file: Path, *options: str, format: str = "ndjson") -> str:
    """What the command says."""
    said = StringIO()
    call_command("export_similar", str(file), "--format", format, *options, stdout=said)
    return said.getvalue()


def answers(file: Path) -> dict[str, list[str]]:
    """SKUs of the results, by SKU."""
    documents = map(json.loads, file.read_text().splitlines())
    return {each["sku"]: [result["sku"] for result in each["results"]] for each in documents}


def counts(said: str) -> tuple[int, int]:
    """How many answers were computed, and how many of those are new or different."""
    _, _, figures = said.partition("written; ")
    computed, different = figures.split(", ")
    return int(computed.split()[0]), int(different.split()[0])


@pytest.fixture
def reds(shop: Shop) -> list[Product]:
    """Six products that are near to each other, and one that is not."""
    near = [shop.add((1, 0.05 * number, 0), sku=f"R{number}", price=10 + number) for number in range(6)]
    return [*near, shop.add(BLUE, sku="B", price=99)]


class TestTheFormats:
    @pytest.fixture(autouse=True)
    def shop_of_three(self, shop: Shop) -> None:
        shop.add(RED, sku="A", slug="red-mug")
        shop.add(REDDISH, sku="B", slug="reddish-mug", family_code="mug")
        shop.add(PINK, sku="C/1", slug="pink")

    def test_ndjson_has_one_object_a_line(self, file: Path) -> None:
        export(file, "--limit", "1")

        first = json.loads(file.read_text().splitlines()[0])
        assert first == {
            "collection": "all", "encoder": "all-v1", "product": first["product"], "sku": "A", "fallback": False,
            "results": [
                {"product": first["product"] + 1, "sku": "B", "score": pytest.approx(0.953583, abs=1e-3), "confidence": None}
            ],
        }  # fmt: skip

    def test_json_is_one_document(self, file: Path) -> None:
        export(file, format="json")

        document = json.loads(file.read_text())
        assert (document["collection"], document["encoder"]) == ("all", "all-v1")
        assert [each["sku"] for each in document["products"]] == ["A", "B", "C/1"]

    def test_csv_has_one_line_for_each_result(self, file: Path) -> None:
        export(file, format="csv")

        rows = list(csv.reader(file.read_text().splitlines()))
        assert rows[0] == ["sku", "rank", "result_sku", "score", "confidence"]
        assert [row[:3] for row in rows[1:3]] == [["A", "1", "B"], ["A", "2", "C/1"]]

    def test_shopify_metafields_list_handles(self, file: Path) -> None:
        export(file, format="shopify-metafields")

        rows = list(csv.reader(file.read_text().splitlines()))
        assert rows[0] == [
            "Handle",
            "Command",
            "Metafield: shopify--discovery--product_recommendation.related_products [list.product_reference]",
        ]
        assert rows[1] == ["red-mug", "MERGE", "mug, pink"]

    def test_of_the_variants_of_a_handle_shopify_gets_the_first(self, shop: Shop, file: Path) -> None:
        main, variant = shop.add(GREEN, family_code="shirt"), shop.add((0, 1, 0.1), family_code="shirt")
        make_variants(main.pk, [main.pk, variant.pk])

        export(file, format="shopify-metafields")

        lines = [row for row in csv.reader(file.read_text().splitlines()) if row[0] == "shirt"]
        assert len(lines) == 1
        assert "shirt" not in lines[0][2]

    def test_without_products_the_file_is_empty_and_valid(self, file: Path) -> None:
        Product.objects.update(active=False)

        export(file, format="json")

        assert json.loads(file.read_text())["products"] == []


class TestTheOptions:
    def test_are_the_filters_of_the_api(self, shop: Shop, file: Path) -> None:
        mugs = CategoryFactory.create(slug="mugs")
        shop.add(RED, sku="A", attributes={"size": "L"})
        shop.add(REDDISH, sku="B", category=mugs, price=5, attributes={"size": "L"})
        shop.add(PINK, sku="C", category=mugs, price=50, attributes={"size": "S"})

        export(file, "--category", "mugs", "--max-price", "20")
        assert answers(file)["A"] == ["B"]
        export(file, "--attribute", "size=S", "--attribute", "size=M")
        assert answers(file)["A"] == ["C"]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--limit", "0"], "--limit: must be an integer from 1 to 100"),
            (["--min-price", "9", "--max-price", "1"], "--min-price: is above --max-price"),
            (["--attribute", "size"], "--attribute: 'size' must have the form name=value"),
            (["--category", "mug"], "--category: names no category; the nearest: mugs (with --strict false the"),
            (["--currency", "ERU"], "--currency: names no currency; the nearest: EUR (with --strict false the"),
            (["--collection", "none"], "--collection: there is no collection 'none'"),
        ],
    )
    def test_a_mistake_is_named(self, shop: Shop, file: Path, options: list[str], said: str) -> None:
        shop.add(RED, category=CategoryFactory.create(slug="mugs"))

        with pytest.raises(CommandError, match=said.replace("(", "\\(")):
            export(file, *options)
        assert not file.exists()


class TestTheNextExport:
    def export_twice(self, file: Path, change: Any, *options: str) -> tuple[int, int]:
        """Counts of the second export, whose file is the same as that of a whole one."""
        export(file, "--limit", "2", *options)
        change()
        process_outbox()
        said = export(file, "--limit", "2", *options)
        whole = file.with_name("whole")
        export(whole, "--limit", "2", *options)
        assert answers(file) == answers(whole)
        return counts(said)

    def test_computes_nothing_where_nothing_changed(self, reds: list[Product], file: Path) -> None:
        assert self.export_twice(file, lambda: None) == (0, 0)

    def test_computes_what_has_a_changed_product_among_its_results_or_nearer(
        self, reds: list[Product], file: Path, shop: Shop
    ) -> None:
        computed, different = self.export_twice(file, lambda: withdraw_products([reds[5].pk]))

        assert 0 < different <= computed < len(reds) - 1

    def test_has_a_new_product_where_it_is_near_and_leaves_the_rest(
        self, reds: list[Product], file: Path, shop: Shop
    ) -> None:
        computed, _ = self.export_twice(file, lambda: shop.add((0, 0.1, 1), sku="B2"))

        assert answers(file)["B"][0] == "B2"
        assert computed < len(reds)

    def test_has_what_meets_the_filter_since_its_price_changed(self, reds: list[Product], file: Path) -> None:
        def cheaper() -> None:
            patch_product(ProductChange("R0", {"price": Decimal(12)}))

        reds[0].price = Decimal(50)
        reds[0].save()
        self.export_twice(file, cheaper, "--max-price", "20")
        assert "R0" in answers(file)["R1"]

    def test_has_what_follows_from_a_photo_that_was_removed(self, reds: list[Product], file: Path, shop: Shop) -> None:
        both = shop.add(BLUE, (1, 0.02, 0), sku="TWO")
        red = ProductImage.objects.filter(product=both).last()
        assert red is not None

        self.export_twice(file, lambda: remove_images([red.pk]))
        assert all("TWO" not in answers(file)[f"R{number}"] for number in range(6))

    def test_under_rules_computes_everything(self, reds: list[Product], file: Path) -> None:
        rules = save_set({"name": "summer", "active": True})

        def hide() -> None:
            rule = {"kind": "hide", "scope": "everywhere", "target": "", "parameters": {"products": ["R1"]}}
            save_rule(rules, rule)

        computed, different = self.export_twice(file, hide)

        assert computed == Product.objects.count()
        assert different > 0
        assert all("R1" not in results for results in answers(file).values())

    def test_with_other_options_computes_everything(self, reds: list[Product], file: Path) -> None:
        export(file, "--limit", "2")

        assert counts(export(file, "--limit", "3")) == (len(reds), len(reds))
        assert counts(export(file, "--limit", "3", "--whole")) == (len(reds), 0)

    def test_can_write_only_what_differs(self, reds: list[Product], file: Path) -> None:
        export(file, "--limit", "2")
        withdraw_products([reds[0].pk])
        process_outbox()

        said = export(file, "--limit", "2", "--changed-only")

        written = answers(file)
        assert 0 < len(written) < len(reds) - 1
        assert f"{len(written)} of {len(reds) - 1} products written" in said

    def test_that_is_interrupted_leaves_the_file_as_it_was(
        self, reds: list[Product], file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        export(file)
        before = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(run, "similar_to", interrupt)
        with pytest.raises(CommandError, match="The file is as it was"):
            export(file, "--whole")
        assert {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()} == before

    def test_survives_a_damaged_state(self, reds: list[Product], file: Path) -> None:
        export(file)
        file.with_name("similar.state").write_text("no JSON")

        assert counts(export(file)) == (len(reds), len(reds))


def test_beside_a_server_that_holds_the_embedded_index_it_asks_a_copy(
    shop: Shop, file: Path, settings: Any, tmp_path: Path
) -> None:
    shop.add(RED, sku="A"), shop.add(REDDISH, sku="B")
    options = {"path": str(tmp_path / "index")}
    settings.VECTOR_INDEX = {"BACKEND": "embeddings.vector_index.edge.EdgeVectorIndex", "OPTIONS": options}
    server = EdgeVectorIndex(options["path"])
    server.claim()

    export(file)

    assert answers(file) == {"A": ["B"], "B": ["A"]}
    assert get_vector_index() is not server
    assert settings.VECTOR_INDEX["OPTIONS"] == options
    server.close()
