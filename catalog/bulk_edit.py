"""Changes prices, stock and activity of many products alike.

The plan, which is previewed, has the new values of each product. Applying it sets these values, so that a job that was interrupted
may do it again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction

from catalog import services
from catalog.models import MAX_PRICE, Product, ProductQuerySet
from catalog.money import round_price
from jobs.execution import save_checkpoint
from jobs.files import open_upload
from jobs.models import Job
from jobs.progress import ProgressCallback, StageProgress

# The name of the kind of job.
BULK_EDIT = "bulk_edit"
SUFFIX = ".edits"
# Up to this many products are changed at once; more are a job.
MAX_PRODUCTS_AT_ONCE = 1000
_BATCH_PRODUCTS = 1000
_SAMPLE = 50

Values = dict[str, Any]


class Operation(StrEnum):
    """What is done with a price."""

    KEEP = ""
    SET = "set"
    RAISE_PERCENT = "raise_percent"
    LOWER_PERCENT = "lower_percent"
    RAISE_AMOUNT = "raise_amount"
    LOWER_AMOUNT = "lower_amount"
    # Of list prices only.
    FROM_PRICE = "from_price"
    REMOVE = "remove"


class LeftOut(StrEnum):
    """Why a product is not changed at all."""

    NO_PRICE = "no_price"
    NO_LIST_PRICE = "no_list_price"
    NEGATIVE = "negative"
    TOO_HIGH = "too_high"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What is done with a price, by how much: in units of the product's currency, or in percent."""

    operation: Operation = Operation.KEEP
    number: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class BulkEdit:
    """What is changed. available, active: None if it stays."""

    price: PriceChange = PriceChange()
    list_price: PriceChange = PriceChange()
    available: bool | None = None
    active: bool | None = None

    def values_for(self, product: Product) -> Values | LeftOut:
        """The new values of a product.

        Args:
            product: as it is now.

        Returns:
            Values of the fields that differ; or why the product is left out.
        """
        if self.active and product.merged_into_id is not None:
            return LeftOut.MERGED
        wanted: Values = {}
        for name, change, missing in (
            ("price", self.price, LeftOut.NO_PRICE),
            ("list_price", self.list_price, LeftOut.NO_LIST_PRICE),
        ):
            if change.operation is Operation.KEEP:
                continue
            price = _new_price(product, getattr(product, name), change, missing)
            if isinstance(price, LeftOut):
                return price
            wanted[name] = price
        wanted |= {name: value for name in ("available", "active") if (value := getattr(self, name)) is not None}
        return {name: value for name, value in wanted.items() if getattr(product, name) != value}


def _new_price(
    product: Product, old: Decimal | None, change: PriceChange, missing: LeftOut
) -> Decimal | LeftOut | None:
    match change.operation:
        case Operation.REMOVE:
            return None
        case Operation.FROM_PRICE:
            return LeftOut.NO_PRICE if product.price is None else product.price
        case Operation.SET:
            new = change.number
        case _ if old is None:
            return missing
        case Operation.RAISE_PERCENT:
            new = old * (100 + change.number) / 100
        case Operation.LOWER_PERCENT:
            new = old * (100 - change.number) / 100
        case Operation.RAISE_AMOUNT:
            new = old + change.number
        case _:
            new = old - change.number
    if new < 0:
        return LeftOut.NEGATIVE
    return LeftOut.TOO_HIGH if new > MAX_PRICE else round_price(new, product.currency)


@dataclass(slots=True)
class Plan:
    """What a bulk edit does to products.

    Attributes:
        changed: number of products that get other values.
        unchanged: number of products that have these values already.
        left_out: numbers of products that are not changed, by reason.
        sample: the first products that are changed, with their new values.
        sample_left_out: the first products that are left out, with the reason.
        currencies: of the products whose price or list price is changed.
        not_reduced: number of changed products whose list price is not above the price afterwards.
        digest: identifies the products and values: a plan with the same digest is the same.
    """

    changed: int = 0
    unchanged: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    sample: list[tuple[Product, Values]] = field(default_factory=list)
    sample_left_out: list[tuple[Product, LeftOut]] = field(default_factory=list)
    currencies: set[str] = field(default_factory=set)
    not_reduced: int = 0
    digest: str = ""


def plan_edit(products: ProductQuerySet, edit: BulkEdit, file: BinaryIO | None = None) -> Plan:
    """Compute the new values of products, in memory that does not grow with them.

    Args:
        products: which ones.
        edit: what is changed.
        file: gets a line for each product that is changed, to be applied by `apply_lines`; None if it is only a preview.

    Returns:
        The plan.
    """
    plan, digest = Plan(), hashlib.sha256()
    for product in _read(products):
        values = edit.values_for(product)
        if isinstance(values, LeftOut):
            plan.left_out[values] += 1
            if len(plan.sample_left_out) < _SAMPLE:
                plan.sample_left_out.append((product, values))
        elif not values:
            plan.unchanged += 1
        else:
            line = json.dumps([product.pk, values], default=str).encode() + b"\n"
            digest.update(line)
            if file is not None:
                file.write(line)
            _count(plan, product, values)
    plan.digest = digest.hexdigest()
    return plan


def _read(products: ProductQuerySet) -> Iterator[Product]:
    names = ("sku", "title", "currency", "price", "list_price", "available", "active", "merged_into_id")
    return products.select_related(None).order_by("-pk").only(*names).iterator(chunk_size=2000)


def _count(plan: Plan, product: Product, values: Values) -> None:
    plan.changed += 1
    if len(plan.sample) < _SAMPLE:
        plan.sample.append((product, values))
    if "price" in values or "list_price" in values:
        plan.currencies.add(product.currency)
        price, list_price = values.get("price", product.price), values.get("list_price", product.list_price)
        plan.not_reduced += price is not None and list_price is not None and list_price <= price


def apply_lines(lines: Iterable[bytes], user_id: int) -> int:
    """Apply lines of a plan, with an entry in the history of each product.

    Args:
        lines: from `plan_edit`.
        user_id: whose change it is.

    Returns:
        Number of products that were changed.
    """
    changed = services.change_products({product_id: _parsed(values) for product_id, values in map(json.loads, lines)})
    # One message for all products with the same fields, so one statement.
    by_fields: dict[tuple[str, ...], list[Product]] = {}
    for product, names in changed.items():
        by_fields.setdefault(tuple(names), []).append(product)
    for fields, products in by_fields.items():
        labels = [str(Product._meta.get_field(name).verbose_name).capitalize() for name in fields]  # type: ignore[union-attr]  # columns
        LogEntry.objects.log_actions(
            user_id,
            products,
            CHANGE,
            change_message=[{"changed": {"fields": labels}}],
        )
    return len(changed)


def _parsed(values: Values) -> Values:
    return {name: Decimal(value) if isinstance(value, str) else value for name, value in values.items()}


def run_job(job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """Apply a plan in a job, a batch in a transaction; it goes on behind the batches that are done.

    Args:
        job: its upload has the lines, its parameters the number of `products` and the `user`.
        on_progress: called with the stage "products".

    Returns:
        The result: the number of `products` that were changed.
    """
    checkpoint = job.checkpoint or {"lines": 0, "products": 0}
    done, changed = checkpoint["lines"], checkpoint["products"]
    progress = StageProgress(on_progress, "products", job.parameters["products"], done=done)
    with open_upload(job) as file:
        lines = islice(file, done, None)
        while batch := list(islice(lines, _BATCH_PRODUCTS)):
            with transaction.atomic():
                changed += apply_lines(batch, job.parameters["user"])
                done += len(batch)
                save_checkpoint(job, {"lines": done, "products": changed})
            progress.advance(len(batch))
    return {"products": changed}
