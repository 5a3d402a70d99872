"""Registers the kinds of job that this app owns: imports, and moves of categories and changes of products that are many."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.keys import Scope
from catalog import kept_photos
from catalog.admin.imports import IMPORT_PERMISSIONS, page_context, result_tables, unsuccessful_context
from catalog.bulk_edit import BULK_EDIT
from catalog.bulk_edit import SUFFIX as EDITS_SUFFIX
from catalog.categories import MOVE
from catalog.importers import drafts
from catalog.importers.submission import (
    IMPORT,
    REJECTED_SUFFIX,
    UPLOAD_SUFFIX,
    can_import_dry_run,
    retained_files,
)
from jobs.facts import gettext_noop
from jobs.models import Job
from jobs.registry import JobFiles, JobKind, JobPage, kinds

_PAGE = JobPage(
    stages={"downloading": _("downloading (in KB)"), "importing": _("importing")},
    labels={
        "file": _("file"),
        "format": _("format"),
        "dry_run": _("dry run"),
        "source": _("source"),
        "deactivate_missing": _("withdraw what is missing"),
        "withdraw_many": _("withdraw however many are missing"),
        "update_only": _("change only products that there are"),
        "fetch": _("download photos from links"),
        "map": _("columns"),
        "set": _("constants"),
        "encoding": _("encoding"),
        "delimiter": _("delimiter"),
        "decimal": _("decimal separator"),
        "category_separator": _("category separator"),
        "image_separator": _("photo separator"),
        "item": _("element of a product"),
        "table": _("table of the zip"),
        "automatic": _("columns by their names"),
        "feed": _("number of the feed"),
        "only_if_changed": _("only if it has changed"),
        "base": _("address"),
    },
    result_tables=result_tables,
    template="admin/catalog/import_result.html",
    context=page_context,
    unsuccessful_context=unsuccessful_context,
)


_MOVE_PAGE = JobPage(
    stages={"products": _("enqueueing products")},
    labels={"category": _("category"), "from": _("old path"), "to": _("new path"), "products": _("products")},
    result_members=("products",),
)


_BULK_EDIT_PAGE = JobPage(
    stages={"products": _("changing products")},
    labels={"products": _("products")},
    result_members=("products",),
)


def _import_title(job: Job) -> str:
    text = gettext("Import of %s, dry run") if job.parameters.get("dry_run") else gettext("Import of %s")
    return text % (job.parameters.get("file") or gettext("a file"))


def _move_title(job: Job) -> str:
    return gettext("Move of %(from)s to %(to)s") % {"from": job.parameters["from"], "to": job.parameters["to"]}


def _bulk_edit_title(job: Job) -> str:
    products: int = job.parameters["products"]
    return ngettext("Change of %d product", "Change of %d products", products) % products


def register_kinds() -> None:
    """Register them, once."""
    kinds.register(
        JobKind(
            name=BULK_EDIT,
            label=_("change of products"),
            noun=gettext_noop("a change of products"),
            command="bulk_edit",
            scope=Scope.IMPORT,
            needs_collection=False,
            files=JobFiles(suffixes=(EDITS_SUFFIX,)),
            permissions=("catalog.change_product",),
            title=_bulk_edit_title,
            has_mean_rate=True,
            page=_BULK_EDIT_PAGE,
        )
    )
    kinds.register(
        JobKind(
            name=MOVE,
            label=_("move of a category"),
            noun=gettext_noop("a move of a category"),
            command="move_category",
            scope=Scope.IMPORT,
            needs_collection=False,
            permissions=("catalog.change_category",),
            title=_move_title,
            has_mean_rate=True,
            page=_MOVE_PAGE,
        )
    )
    kinds.register(
        JobKind(
            name=IMPORT,
            label=_("import"),
            noun=gettext_noop("an import"),
            command="run_import",
            scope=Scope.IMPORT,
            needs_collection=False,
            files=JobFiles(
                suffixes=(UPLOAD_SUFFIX, REJECTED_SUFFIX, drafts.SUFFIX, kept_photos.SUFFIX),
                keeps_upload=can_import_dry_run,
                retained=lambda: {*retained_files(), *drafts.retained_drafts(), *kept_photos.retained_photos()},
            ),
            permissions=IMPORT_PERMISSIONS,
            title=_import_title,
            has_mean_rate=True,
            page=_PAGE,
        )
    )
