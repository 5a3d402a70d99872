"""Products that are missing from their source are withdrawn, and return when it contains them again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog import events
from catalog.models import Product
from tests.catalog.importing import counts, run

pytestmark = pytest.mark.django_db

ALL = ("m1", "m2", "m3", "m4", "m5")


def table(folder: Path, *skus: str, rest: str = "", name: str = "products.csv") -> Path:
    path = folder / name
    path.write_text("sku,title,price\n" + "".join(f"{sku},Mug,\n" for sku in skus) + rest)
    return path


def active() -> list[str]:
    return sorted(Product.objects.filter(active=True).values_list("sku", flat=True))


NIGHTLY = ("--source", "feed", "--deactivate-missing")


@pytest.fixture(autouse=True)
def changed_ids() -> Iterator[list[int]]:
    """Ids of the products for which `products_changed` was sent."""
    ids: list[int] = []

    def listen(product_ids: list[int], **_kwargs: object) -> None:
        ids.extend(product_ids)

    events.products_changed.connect(listen)
    yield ids
    events.products_changed.disconnect(listen)


def test_a_product_that_left_its_source_is_withdrawn(tmp_path: Path, changed_ids: list[int]) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    report = run(table(tmp_path, "m1", "m2", "m3", "m4"), *NIGHTLY)
    assert (report["withdrawn"], active()) == (1, ["m1", "m2", "m3", "m4"])
    assert changed_ids == [Product.objects.get(sku="m5").pk]


def test_it_comes_back_with_its_source(tmp_path: Path, changed_ids: list[int]) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    run(table(tmp_path, "m1"), *NIGHTLY)
    changed_ids.clear()
    report = run(table(tmp_path, *ALL), *NIGHTLY)
    assert (counts(report), active()) == ((0, 4, 1, 0), list(ALL))
    assert len(changed_ids) == 4
    assert counts(run(table(tmp_path, *ALL), *NIGHTLY)) == (0, 0, 5, 0)


def test_what_somebody_withdrew_by_hand_does_not_come_back(tmp_path: Path) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    Product.objects.filter(sku="m1").update(active=False)
    run(table(tmp_path, *ALL[1:]), *NIGHTLY)
    run(table(tmp_path, *ALL), *NIGHTLY)
    assert active() == ["m2", "m3", "m4", "m5"]


def test_products_of_another_source_and_of_none_are_left_alone(tmp_path: Path) -> None:
    run(table(tmp_path, "m1"), "--source", "other")
    run(table(tmp_path, "m2"))
    report = run(table(tmp_path, "m3"), *NIGHTLY)
    assert (report["withdrawn"], active()) == (0, ["m1", "m2", "m3"])


def test_without_being_asked_nothing_is_withdrawn(tmp_path: Path) -> None:
    run(table(tmp_path, *ALL), "--source", "feed")
    run(table(tmp_path, "m1"), "--source", "feed")
    assert active() == list(ALL)


def test_a_rejected_row_still_says_that_its_product_is_there(tmp_path: Path) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    report = run(table(tmp_path, "m1", "m2", "m3", rest="m4,,5\n"), *NIGHTLY)
    assert (report["withdrawn"], active()) == (1, ["m1", "m2", "m3", "m4"])


@pytest.mark.parametrize(
    ("skus", "rest", "reason"),
    [
        ((), "", "the source is empty"),
        (("m1",), "m2,,5\n", "1 of 2 rows were rejected"),
        ((), "m2,,5\n", "1 of 1 rows were rejected"),
    ],
)
def test_a_source_that_is_doubtful_withdraws_nothing(
    tmp_path: Path, skus: tuple[str, ...], rest: str, reason: str
) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    report = run(table(tmp_path, *skus, rest=rest), *NIGHTLY)
    assert (report["withdrawn"], report["not_withdrawn"], active()) == (0, reason, list(ALL))


def test_a_feed_that_is_cut_off_withdraws_nothing(tmp_path: Path) -> None:
    def feed(end: str, *skus: str) -> Path:
        items = "".join(f"<item><id>{sku}</id><title>Mug</title></item>" for sku in skus)
        path = tmp_path / "feed.xml"
        path.write_text(f"<rss><channel>{items}{end}")
        return path

    run(feed("</channel></rss>", *ALL), *NIGHTLY)
    report = run(feed("<item><id>m5", *ALL[:4]), *NIGHTLY)
    assert (report["not_withdrawn"], active()) == ("the source was not read to its end", list(ALL))


def test_a_dry_run_reports_how_many_would_be_withdrawn(tmp_path: Path) -> None:
    run(table(tmp_path, *ALL), *NIGHTLY)
    report = run(table(tmp_path, "m1", "m2"), *NIGHTLY, "--dry-run")
    assert (report["withdrawn"], active()) == (3, list(ALL))


def test_a_source_that_has_lost_most_of_its_products_withdraws_nothing_unless_that_is_allowed(
    tmp_path: Path, settings: Any
) -> None:
    skus = [f"m{number:02}" for number in range(50)]
    run(table(tmp_path, *skus), *NIGHTLY)
    cut = table(tmp_path, *skus[:20])
    report = run(cut, *NIGHTLY)
    assert (report["withdrawn"], counts(report), active()) == (0, (0, 0, 20, 0), skus)
    assert report["not_withdrawn"] == (
        "30 of the 50 products of this source are missing, more than 50 percent of them: look whether the file is whole."
        " If it is, allow that many to be withdrawn"
    )
    out = io.StringIO()
    call_command("import_catalog", str(cut), *NIGHTLY, "--dry-run", stdout=out)
    assert "allow that many to be withdrawn (--withdraw-many)" in out.getvalue()
    settings.IMPORT_MAX_WITHDRAWN_PERCENT = 60
    assert run(cut, *NIGHTLY, "--dry-run")["withdrawn"] == 30
    settings.IMPORT_MAX_WITHDRAWN_PERCENT = 50
    assert run(cut, *NIGHTLY, "--withdraw-many")["withdrawn"] == 30
    assert active() == skus[:20]
    # Of what is left, twenty are few enough to be withdrawn together.
    assert run(table(tmp_path, "m99"), *NIGHTLY)["withdrawn"] == 20


def test_it_has_to_be_said_which_source_is_meant(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="needs the name of a source"):
        run(table(tmp_path, *ALL), "--deactivate-missing")
