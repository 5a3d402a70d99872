"""What users prepare for an import: a file with its options, and saved mappings."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models.feeds import Feed


class ImportDraft(models.Model):
    """A file that somebody is about to import: uploaded in parts, then looked at, tried out and changed until it is right.

    Attributes:
        upload: name of the file in the store of uploads; jobs that import it have names of their own for it.
        upload_key: what the store knows its parts by, until all have arrived.
        options: fields of ImportOptions, plain JSON.
        feed: the feed that the file is of, where one was tried out.
        used_at: the file is deleted IMPORT_UPLOAD_KEEP_HOURS later.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("owner"), on_delete=models.CASCADE, related_name="import_drafts"
    )
    file_name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size"), help_text=_("In bytes, as announced before the upload."))
    upload = models.CharField(_("upload"), max_length=200)
    upload_key = models.CharField(_("upload key"), max_length=1024, blank=True)
    complete = models.BooleanField(_("complete"), default=False)
    options = models.JSONField(_("options"), default=dict, blank=True)
    feed = models.ForeignKey(
        Feed, verbose_name=_("feed"), null=True, editable=False, on_delete=models.CASCADE, related_name="drafts"
    )
    used_at = models.DateTimeField(_("last used"), auto_now=True)

    class Meta:
        verbose_name = _("import draft")
        verbose_name_plural = _("import drafts")
        default_permissions = ()
        ordering = ("-used_at",)

    def __str__(self) -> str:
        return self.file_name


class ImportMapping(models.Model):
    """Options of an import under a name, for files with the same columns.

    Attributes:
        columns: names of the file's columns, casefolded and sorted, one a line.
        options: fields of ImportOptions, plain JSON.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    columns = models.TextField(_("columns"), blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    created_by = models.CharField(_("created by"), max_length=200, blank=True)
    used_at = models.DateTimeField(_("last used"), auto_now=True)

    class Meta:
        verbose_name = _("import mapping")
        verbose_name_plural = _("import mappings")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
