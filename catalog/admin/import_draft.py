"""The page of an uploaded file: its columns and first products, the options of its import, and the dry run."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext

from catalog.admin.import_forms import FORMAT_LABELS, DraftForm, choose_column, column_key, initial_values
from catalog.importers.drafts import local_draft, submit_draft
from catalog.importers.preview import CataloguePreview, preview_catalogue, sample_photo
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import InvalidFeed, save_feed
from catalog.models import ImportDraft, ImportMapping
from catalog.money import money
from catalog.thumbnails import small_webp
from jobs import storage_facts
from jobs.errors import JobInProgress
from jobs.facts import Fact, replaced, worded
from jobs.models import Job
from jobs.storage import StorageUnavailable, storage_errors
from pictures.photos import ImageRejected
from product_files import row_facts
from product_files.rows import InvalidSource
from stores import base as stores
from stores.errors import StoreError

logger = logging.getLogger(__name__)

_THUMBNAIL_SIDE = 160
_OPTIONS_OF_COLUMNS = ("format", "encoding", "delimiter")
# What the button of the dry run sends as `action`.
CHECK = "check"
# What the button sends that keeps the options with the feed that the file is of.
FOR_FEED = "feed"


class DraftPage:
    """One request to the page of a draft.

    The form is about the columns of the file as it is read with the draft's options. Options that change the columns, such as the
    delimiter, take effect with the next look.
    """

    def __init__(self, request: HttpRequest, draft: ImportDraft) -> None:
        self._request = request
        self._draft = draft
        self._problem = ""
        self._apply_mapping()
        self.form = self._form(request.POST if request.method == "POST" else None)

    @cached_property
    def _options(self) -> ImportOptions:
        return ImportOptions.from_parameters(self._draft.options)

    def submit(self) -> Job | None:
        """Take what was sent.

        Returns:
            The job of a dry run; None where the page is to be shown: again with errors, or with another look at the file.
        """
        if not self.form.is_valid():
            return None
        try:
            options = self.form.options()
            if any(getattr(options, name) != getattr(self._options, name) for name in _OPTIONS_OF_COLUMNS):
                # The columns are others now.
                options = replace(options, map=(), automatic=True)
            self._save_mapping(options)
            if self._request.POST.get("action") == CHECK:
                return submit_draft(self._draft, options)
            self._draft.options = options.as_parameters()
            self._draft.save()
            if self._request.POST.get("action") == FOR_FEED and self._draft.feed is not None:
                save_feed(self._draft.feed, options)
                text = gettext("The feed “%s” is read in this way from now on.") % self._draft.feed
                messages.success(self._request, text)
        except InvalidFeed as error:
            for _name, reason in error.errors:
                self.form.add_error(None, worded(reason))
            return None
        except (InvalidSource, JobInProgress, StorageUnavailable) as error:
            self.form.add_error(None, worded(str(error)))
            return None
        self._options = options
        self.form = self._form(None)
        return None

    def context(self) -> dict[str, Any]:
        """What the template shows."""
        preview = self._preview
        return {
            "draft": self._draft,
            "form": self.form,
            "problem": self._problem,
            "preview": preview,
            "notes": [worded(note) for note in preview.notes if not _says_format(note)] if preview else [],
            "problems": [(line, worded(reason)) for line, reason in preview.problems] if preview else [],
            "format_label": _format_label(preview) if preview else "",
            "products": [
                {
                    "number": number,
                    "row": row.product,
                    "has_photo": bool(row.photos),
                    "price": money(row.product.price, row.product.currency) if row.product.price is not None else "",
                    "category": " > ".join(row.product.category),
                }
                for number, row in enumerate(preview.products if preview else ())
                if row.product is not None
            ],
            "missing": [choose_column(name) for name in preview.missing] if preview else [],
            "mappings": self._offered_mappings(),
        }

    def _form(self, data: Any) -> DraftForm:
        self._preview = self._look()
        return DraftForm(data, preview=self._preview, initial=initial_values(self._options))

    def _look(self) -> CataloguePreview | None:
        path: Path | None = None
        try:
            with (
                storage_errors(storage_facts.WHAT_WAS_SENT(), stores.uploads().place),
                local_draft(self._draft) as path,
            ):
                return preview_catalogue(path, self._options)
        except (InvalidSource, StorageUnavailable) as error:
            self._problem = worded(replaced(str(error), str(path), self._draft.file_name))
            return None

    def _apply_mapping(self) -> None:
        """Take the options of a mapping that was chosen by name."""
        chosen = self._request.GET.get("mapping", "")
        mapping = ImportMapping.objects.filter(pk=chosen).first() if chosen.isascii() and chosen.isdigit() else None
        if mapping is not None and self._request.method != "POST":
            mapping.save(update_fields=["used_at"])
            self._draft.options = mapping.options
            self._draft.save()
            messages.info(self._request, gettext("The mapping “%s” is used.") % mapping.name)

    def _save_mapping(self, options: ImportOptions) -> None:
        name = self.form.cleaned_data["save_as"]
        if not name:
            return
        ImportMapping.objects.create(
            name=name,
            columns=column_key(self._column_names()),
            options=options.as_parameters(),
            created_by=self._request.user.get_username(),
        )
        messages.success(self._request, gettext("The mapping is kept as “%s”.") % name)

    def _offered_mappings(self) -> list[ImportMapping]:
        return list(ImportMapping.objects.filter(columns=column_key(self._column_names()))) if self._preview else []

    def _column_names(self) -> list[str]:
        return [column.name for column in self._preview.columns] if self._preview else []


def sample_photo_response(draft: ImportDraft, number: int) -> HttpResponse:
    """A small version of the first photo of one of the first products.

    Args:
        draft: the file.
        number: of the product, from 0.

    Returns:
        A WebP. Where there is no such photo, 404 with a picture that says so: a browser shows it in place of the photo.
    """
    try:
        with local_draft(draft) as path:
            photo = sample_photo(path, ImportOptions.from_parameters(draft.options), number)
        content = small_webp(photo.content, _THUMBNAIL_SIDE)
    except (ImageRejected, InvalidSource, StoreError) as error:
        logger.info("no sample photo: %s", error)
        return HttpResponse(_no_photo(), status=404, content_type="image/svg+xml")
    return HttpResponse(content, content_type="image/webp", headers={"Cache-Control": "private, max-age=600"})


def _no_photo() -> str:
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"><text x="50%" y="50%" text-anchor="middle"'
        ' font-family="sans-serif" font-size="{size}" fill="#6b7280">{words}</text></svg>',
        side=_THUMBNAIL_SIDE,
        size=_THUMBNAIL_SIDE // 8,
        words=gettext("no photo"),
    )


def _format_label(preview: CataloguePreview) -> str:
    """What the file is read as; a table that is not CSV is called by what it is."""
    label = str(FORMAT_LABELS.get(preview.format, preview.format))
    return label.replace("CSV", preview.table_kind) if preview.table_kind else label


def _says_format(note: str) -> bool:
    """Whether a note says what the page says in a line of its own."""
    return isinstance(note, Fact) and note.kind in row_facts.READ_AS
