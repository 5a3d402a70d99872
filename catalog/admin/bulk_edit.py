"""The page on which the chosen products of the list are changed alike: a form, a preview of the new values, one confirmation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from catalog.bulk_edit import (
    BULK_EDIT,
    MAX_PRODUCTS_AT_ONCE,
    SUFFIX,
    BulkEdit,
    LeftOut,
    Operation,
    Plan,
    PriceChange,
    Values,
    apply_lines,
    plan_edit,
)
from catalog.models import PRICE_DECIMALS, PRICE_DIGITS, Product, ProductQuerySet
from catalog.money import money
from jobs.admin import notify_submitted
from jobs.errors import JobInProgress
from jobs.facts import worded
from jobs.files import delete_stored, store_upload
from jobs.services import create_job
from jobs.storage import StorageUnavailable

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# The name of the list's action.
ACTION = "bulk_edit"
# What the buttons of the page send.
PREVIEW, CONFIRM = "preview", "confirm"

_PRICE_OPERATIONS: Sequence[tuple[str, Promise]] = (
    (Operation.KEEP, _("leave as it is")),
    (Operation.SET, _("set to")),
    (Operation.RAISE_PERCENT, _("raise by percent")),
    (Operation.LOWER_PERCENT, _("lower by percent")),
    (Operation.RAISE_AMOUNT, _("raise by amount")),
    (Operation.LOWER_AMOUNT, _("lower by amount")),
)
_LIST_PRICE_OPERATIONS: Sequence[tuple[str, Promise]] = (
    *_PRICE_OPERATIONS,
    (Operation.FROM_PRICE, _("set to the price before this change")),
    (Operation.REMOVE, _("remove")),
)
_WITHOUT_NUMBER = frozenset({Operation.KEEP, Operation.FROM_PRICE, Operation.REMOVE})
_REASONS: Mapping[LeftOut, Promise] = {
    LeftOut.NO_PRICE: _("has no price"),
    LeftOut.NO_LIST_PRICE: _("has no list price"),
    LeftOut.NEGATIVE: _("the price would be negative"),
    LeftOut.TOO_HIGH: _("the price would be too high"),
    LeftOut.MERGED: _("was merged into another product and stays inactive"),
}


def _operation(label: StrOrPromise, choices: Sequence[tuple[str, Promise]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=UnfoldAdminSelectWidget)


def _number(label: StrOrPromise) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_digits=PRICE_DIGITS,
        decimal_places=PRICE_DECIMALS,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
    )


def _flag(label: StrOrPromise, yes: StrOrPromise, no: StrOrPromise) -> forms.ChoiceField:
    choices = (("", _("leave as it is")), ("yes", yes), ("no", no))
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=UnfoldAdminSelectWidget)


class BulkEditForm(forms.Form):
    """What is changed of all chosen products."""

    price = _operation(_("Price"), _PRICE_OPERATIONS)
    price_number = _number(_("Amount or percent, for the price"))
    list_price = _operation(_("List price"), _LIST_PRICE_OPERATIONS)
    list_price_number = _number(_("Amount or percent, for the list price"))
    available = _flag(_("Stock"), _("available"), _("not available"))
    active = _flag(_("Activity"), _("active"), _("inactive"))

    def rows(self) -> list[tuple[forms.BoundField, ...]]:
        """The fields that stand side by side."""
        return [
            (self["price"], self["price_number"]),
            (self["list_price"], self["list_price_number"]),
            (self["available"], self["active"]),
        ]

    def clean(self) -> dict[str, Any]:
        """Ask for numbers that are missing, and for a change."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("price", "list_price"):
            operation, number = cleaned.get(name, ""), cleaned.get(f"{name}_number")
            if f"{name}_number" in self.errors:
                continue
            if operation not in _WITHOUT_NUMBER and number is None:
                self.add_error(f"{name}_number", _("By how much, or to what? Enter a number."))
            elif operation == Operation.LOWER_PERCENT and number is not None and number > 100:
                self.add_error(f"{name}_number", _("A price cannot be lowered by more than 100 percent."))
        if not self.errors and self.edit == BulkEdit():
            raise forms.ValidationError(_("Choose what to change."))
        return cleaned

    @property
    def edit(self) -> BulkEdit:
        """What is changed, of a form without errors."""
        values = self.cleaned_data
        flags = {"": None, "yes": True, "no": False}
        prices = {
            name: PriceChange(operation, Decimal(0) if operation in _WITHOUT_NUMBER else values[f"{name}_number"])
            for name in ("price", "list_price")
            for operation in [Operation(values[name])]
        }
        return BulkEdit(**prices, available=flags[values["available"]], active=flags[values["active"]])


def bulk_edit_page(
    request: HttpRequest, products: ProductQuerySet, context: dict[str, Any], template: str
) -> HttpResponse | None:
    """The page of the action, or what it does once it is confirmed.

    Args:
        request: of the action; `step` is empty at first, PREVIEW or CONFIRM later.
        products: the chosen ones.
        context: of every page of the admin.
        template: of the page.

    Returns:
        The page; None after the products were changed.
    """
    step = request.POST.get("step", "")
    form = BulkEditForm(request.POST if step else None)
    plan: Plan | None = None
    if step == CONFIRM and form.is_valid():
        with TemporaryFile() as file:
            plan = plan_edit(products, form.edit, cast("BinaryIO", file))
            if plan.digest == request.POST.get("digest") and plan.changed:
                file.seek(0)
                if _apply(request, plan, cast("BinaryIO", file), form):
                    return None
            else:
                messages.warning(
                    request,
                    _("Nothing was changed: the products or the form differ from the preview. Here is a new one."),
                )
    elif step == PREVIEW and form.is_valid():
        plan = plan_edit(products, form.edit)
    return TemplateResponse(
        request,
        template,
        {
            **context,
            "title": gettext("Change products"),
            "form": form,
            "plan": plan,
            "preview": _preview(plan) if plan else None,
            "number": products.count(),
            "action": ACTION,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across") == "1",
        },
    )


def _apply(request: HttpRequest, plan: Plan, lines: BinaryIO, form: BulkEditForm) -> bool:
    """Change the products, at once or by a job. Returns whether that could be begun; if not, the form says why."""
    user_id = cast("int", request.user.pk)
    if plan.changed <= MAX_PRODUCTS_AT_ONCE:
        with transaction.atomic():
            changed = apply_lines(lines, user_id)
        messages.success(request, ngettext("%d product was changed.", "%d products were changed.", changed) % changed)
        return True
    stored = ""
    try:
        stored = store_upload(lines, SUFFIX)
        job = create_job(BULK_EDIT, parameters={"products": plan.changed, "user": user_id}, upload=stored)
    except (StorageUnavailable, JobInProgress) as error:
        if stored:
            delete_stored(stored)
        form.add_error(None, worded(str(error)))
        return False
    notify_submitted(request, job, gettext("%d products are being changed.") % plan.changed)
    return True


def _preview(plan: Plan) -> dict[str, Any]:
    """What the template shows of a plan."""
    names = [name for name in _COLUMNS if any(name in values for _product, values in plan.sample)]
    return {
        "headings": [_COLUMNS[name] for name in names],
        "rows": [
            (product, [(_shown(product, name, getattr(product, name)), _new(product, name, values)) for name in names])
            for product, values in plan.sample
        ],
        "left_out": [(_REASONS[reason], number) for reason, number in plan.left_out.most_common()],
        "left_out_products": [(product, _REASONS[reason]) for product, reason in plan.sample_left_out],
        "currencies": ", ".join(sorted(plan.currencies)) if len(plan.currencies) > 1 else "",
    }


_COLUMNS: Mapping[str, Promise] = {
    "price": _("Price"),
    "list_price": _("List price"),
    "available": _("Stock"),
    "active": _("Activity"),
}


def _new(product: Product, name: str, values: Values) -> str:
    """The new value as it is shown; "" if it stays."""
    return _shown(product, name, values[name]) if name in values else ""


def _shown(product: Product, name: str, value: Any) -> str:
    match name:
        case "available":
            return gettext("available") if value else gettext("not available")
        case "active":
            return gettext("active") if value else gettext("inactive")
        case _:
            return "–" if value is None else money(value, product.currency)  # noqa: RUF001
