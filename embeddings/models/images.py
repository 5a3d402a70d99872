"""Which photo is embedded by which encoder version: the outbox that the vector index is derived from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.db import connections, models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery
from django.utils.translation import gettext_lazy as _

from embeddings.models.versions import EncoderVersion
from jobs.facts import fact_of


class ImageEmbeddingQuerySet(models.QuerySet["ImageEmbedding"]):
    """Rows of the outbox. `mark_*` methods alone write `state`, `revision` and `changed_at`; each returns how many rows it wrote.

    A change that calls for work raises the revision, finished work leaves it. So whoever finishes work filters by the revision that
    was read, `rows.filter(revision=revision).mark_indexed()`, and does not hide a change that came meanwhile.
    """

    def mark_pending(self, *, content_hash: str | None = None, drop_vector: bool = False) -> int:
        """Have the photos embedded: they are new, have new content, or are tried again.

        Args:
            content_hash: SHA-256 of the content as it is now; a vector of other content is dropped. None: as it was.
            drop_vector: drop the vector, whatever it is of.

        Returns:
            How many rows were written.
        """
        values: dict[str, Any] = {}
        if content_hash is not None:
            same = models.When(content_hash=content_hash, then=models.F("vector"))
            values = {"content_hash": content_hash, "vector": models.Case(same, default=models.Value(None))}
        if drop_vector:
            values["vector"] = None
        return self._mark_work(ImageEmbedding.State.PENDING, **values)

    def mark_to_upsert(self) -> int:
        """Have the points written from the stored vectors."""
        return self._mark_work(ImageEmbedding.State.EMBEDDED)

    def mark_outdated(self) -> int:
        """Have the points' payloads updated."""
        return self._mark_work(ImageEmbedding.State.OUTDATED)

    def mark_removed(self) -> int:
        """Have the points deleted, and the rows after them."""
        return self._mark_work(ImageEmbedding.State.REMOVED)

    def mark_embedded(self, found: Iterable[tuple[ImageEmbedding, bytes, bytes | None]]) -> int:
        """The encoder gave these vectors; the points are still to be written. Rows that have changed meanwhile are left.

        Args:
            found: rows as they were read; the vector of each, see `embeddings.stored_vectors`; its colour and pattern likewise,
                None where the version has no parts.

        Returns:
            How many rows were written.
        """
        rows = [
            {"pk": row.pk, "revision": row.revision, "vector": vector, "parts": parts} for row, vector, parts in found
        ]
        if not rows:
            return 0
        # Compiled once for all of them, which takes ten times as long as a row does.
        of_row = {name: RawSQL("%s", (_OfRow(name),)) for name in ("pk", "revision", "vector", "parts")}
        unchanged = self.filter(pk=of_row["pk"], revision=of_row["revision"])
        query = cast("UpdateQuery", unchanged.query.chain(UpdateQuery))
        state, cleared = ImageEmbedding.State.EMBEDDED, _error("")
        query.add_update_values(
            {"state": state, "changed_at": Now(), "vector": of_row["vector"], "parts": of_row["parts"], **cleared}
        )
        statement, params = query.get_compiler(self.db).as_sql()
        with connections[self.db].cursor() as cursor:
            cursor.executemany(
                statement, [[row[each.name] if isinstance(each, _OfRow) else each for each in params] for row in rows]
            )
            written: int = cursor.rowcount
        return written

    def mark_indexed(self) -> int:
        """The points are in the index as the database has them."""
        return self._mark(ImageEmbedding.State.INDEXED)

    def mark_postponed(self, reason: str) -> int:
        """The photos could not be embedded now, and are tried again later.

        Args:
            reason: for the admin.

        Returns:
            How many rows were written.
        """
        return self._mark(ImageEmbedding.State.PENDING, attempts=models.F("attempts") + 1, **_error(reason))

    def mark_failed(self, reason: str) -> int:
        """The photos cannot be embedded, and are not tried again by themselves.

        Args:
            reason: for the admin.

        Returns:
            How many rows were written.
        """
        return self._mark(ImageEmbedding.State.FAILED, attempts=models.F("attempts") + 1, **_error(reason))

    def _mark_work(self, state: str, **values: Any) -> int:
        return self._mark(state, revision=models.F("revision") + 1, attempts=0, **_error(""), **values)

    def _mark(self, state: str, **values: Any) -> int:
        return self.update(state=state, changed_at=Now(), **values)


@dataclass(frozen=True, slots=True)
class _OfRow:
    """Where a statement for many rows has a value of each."""

    name: str


def _error(reason: str) -> dict[str, Any]:
    return {"error": str.__str__(reason), "error_fact": fact_of(reason)}


class ImageEmbedding(models.Model):
    """The state of one photo with one encoder version: a row of the outbox.

    A row that is not `indexed` or `failed` is work to do. Rows outlive their photo as `removed` until the point is deleted.
    `state`, `revision` and `changed_at` are written by the queryset's `mark_*` methods.
    """

    class State(models.TextChoices):
        """What is still to be done for the photo's point in the index."""

        PENDING = "pending", _("to embed")
        EMBEDDED = "embedded", _("embedded, to index")
        INDEXED = "indexed", _("indexed")
        OUTDATED = "outdated", _("indexed, details to update")
        REMOVED = "removed", _("to remove from the index")
        FAILED = "failed", _("failed")

    version = models.ForeignKey(
        EncoderVersion, verbose_name=_("encoder version"), on_delete=models.CASCADE, related_name="embeddings"
    )
    image_id = models.PositiveBigIntegerField(_("image"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    content_hash = models.CharField(
        _("content hash"), max_length=64, help_text=_("SHA-256 of the photo that the vector is of.")
    )
    vector = models.BinaryField(_("vector"), null=True, editable=False, help_text=_("Little-endian float16."))
    parts = models.BinaryField(
        _("parts"), null=True, editable=False, help_text=_("Colour and pattern, little-endian float16.")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    # What the error says, as jobs/facts.py keeps it; null in rows that were written before, and where nothing is known.
    error_fact = models.JSONField(null=True, blank=True, editable=False)
    revision = models.PositiveIntegerField(_("revision"), default=1)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    objects = ImageEmbeddingQuerySet.as_manager()

    class Meta:
        verbose_name = _("image embedding")
        verbose_name_plural = _("image embeddings")
        constraints = [models.UniqueConstraint(fields=("version", "image_id"), name="embedding_once_per_version")]
        indexes = [
            models.Index(fields=("version", "state", "image_id"), name="embedding_outbox"),
            models.Index(fields=("image_id",), name="embedding_by_image"),
            models.Index(fields=("content_hash",), name="embedding_by_content"),
            models.Index(fields=("version", "changed_at"), name="embedding_changes"),
        ]

    def __str__(self) -> str:
        return f"{self.image_id}: {self.state}"
