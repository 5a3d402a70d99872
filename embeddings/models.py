"""Which photo is embedded by which encoder version: the outbox that the vector index is derived from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from embeddings.parts.layout import DEFAULT_WEIGHTS, LAYOUTS, Layout, Weights
from embeddings.ranking import files as ranker_files
from embeddings.text.bm25 import SPARSE_VECTORS
from embeddings.text.languages import DEFAULT_LANGUAGE, LANGUAGES
from embeddings.vector_index.base import Distance, IndexCollection
from jobs.facts import fact_of

REBUILD_LIMIT = timedelta(hours=6)


class Collection(models.Model):
    """A similarity system of its own: which categories it covers, how it compares, and its active encoder version."""

    class DistanceChoice(models.TextChoices):
        """The distances of the vector index."""

        COSINE = Distance.COSINE.value, _("cosine")
        DOT = Distance.DOT.value, _("dot product")
        L2 = Distance.L2.value, _("Euclidean (L2)")
        L1 = Distance.L1.value, _("Manhattan (L1)")

    slug = models.SlugField(_("slug"), unique=True, max_length=60)
    name = models.CharField(_("name"), max_length=120)
    categories: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        "catalog.Category",
        verbose_name=_("categories"),
        blank=True,
        through="CollectionCategory",
        help_text=_(
            "With everything below them. A collection of none covers nothing, unless it covers the whole catalogue."
        ),
    )
    covers_all = models.BooleanField(_("covers the whole catalogue"), default=False)
    distance = models.CharField(
        _("distance"), max_length=8, choices=DistanceChoice.choices, default=DistanceChoice.COSINE
    )
    language = models.CharField(
        _("language of texts"),
        max_length=3,
        choices=[(code, _(language.name)) for code, language in LANGUAGES.items()],
        default=DEFAULT_LANGUAGE,
        help_text=_("Whose forms of a word are found as one: shoes and shoe. A change indexes all texts again."),
    )
    text_encoder = models.CharField(
        _("text encoder"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_(
            "Folder in ENCODERS_ROOT. From the next index on texts are found by their meaning, too; empty: by words alone."
        ),
    )
    active_version = models.ForeignKey(
        "EncoderVersion",
        verbose_name=_("active encoder version"),
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
    )
    previous_version = models.ForeignKey(
        "EncoderVersion",
        verbose_name=_("previous encoder version"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Its index is kept up, so that a roll-back takes a moment."),
    )
    active_ranker = models.ForeignKey(
        "RankerVersion",
        verbose_name=_("active ranker"),
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text=_("Puts the best of a search by words in a better order; none: as the words fit."),
    )
    previous_ranker = models.ForeignKey(
        "RankerVersion",
        verbose_name=_("previous ranker"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class CollectionCategory(models.Model):
    """A category that a collection covers. It cannot be deleted before the collection covers something else."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE)
    category = models.ForeignKey("catalog.Category", on_delete=models.PROTECT)

    class Meta:
        verbose_name = _("category of a collection")
        verbose_name_plural = _("categories of collections")
        db_table = "embeddings_collection_categories"
        unique_together = (("collection", "category"),)

    def __str__(self) -> str:
        return str(_("%(category)s, covered by the collection %(collection)s")) % {
            "category": self.category.path,
            "collection": self.collection.slug,
        }


class EncoderVersion(models.Model):
    """An encoder as a collection uses it, with the index generation that holds its vectors.

    `encoder`: a name that `embeddings.backends.get_encoder` knows ("bundled", or a model file). A reindex builds the next
    generation beside the live one and switches by raising `index_generation`. A version that was trained says how:
    `recipe` holds its hyper-parameters, `data` a summary of its photos (the whole manifest lies with its files), `metrics`
    what the evaluation found, `calibration` what its scores mean (see `embeddings.evaluation.calibration`).
    `parts` says which parts its vectors have beside the encoder's, `weights` what they count by default (see `embeddings.parts`).
    """

    collection = models.ForeignKey(
        Collection, verbose_name=_("collection"), on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField(_("number"), validators=[MinValueValidator(1)])
    encoder = models.CharField(_("encoder"), max_length=300)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    dim = models.PositiveIntegerField(_("dimensions"), validators=[MinValueValidator(1), MaxValueValidator(65_536)])
    files = models.CharField(
        _("files"),
        max_length=200,
        blank=True,
        help_text=_("Folder of its model, manifest and report in ENCODERS_ROOT."),
    )
    recipe = models.JSONField(_("recipe"), default=dict, blank=True)
    data = models.JSONField(_("training data"), default=dict, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    calibration = models.JSONField(_("calibration"), null=True, blank=True)
    parts = models.PositiveSmallIntegerField(
        _("parts"),
        default=0,
        choices=[(number, ", ".join(part.name for part in parts) or "-") for number, parts in LAYOUTS.items()],
        help_text=_("Colour and pattern of the photos, beside the encoder's vector."),
    )
    weights = models.JSONField(
        _("weights"), default=dict, blank=True, help_text=_("What each part counts by default, found in the catalogue.")
    )
    index_generation = models.PositiveIntegerField(_("index generation"), default=1)
    rebuild_started_at = models.DateTimeField(
        _("rebuild started"),
        null=True,
        editable=False,
        help_text=_("While set, removed photos keep their rows for the next generation."),
    )
    text_lengths = models.JSONField(
        _("mean lengths of texts"),
        default=dict,
        editable=False,
        help_text=_("By field, and of how many products: what a long text is, as the text index counts it."),
    )
    text_encoder = models.CharField(
        _("text encoder"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_("That of the live text index; empty: it has words alone."),
    )
    text_map = models.CharField(
        _("text map"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_("File in ENCODERS_ROOT of what products look like by their texts; empty: none was trained."),
    )
    text_dim = models.PositiveIntegerField(
        _("dimensions of texts"), default=0, editable=False, help_text=_("Length of the text encoder's vectors.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("encoder version")
        verbose_name_plural = _("encoder versions")
        ordering = ("collection", "-number")
        constraints = [models.UniqueConstraint(fields=("collection", "number"), name="encoder_version_number_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How the API names the version: `fashion-v2`."""
        return f"{self.collection.slug}-v{self.number}"

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What the evaluation after its training found of the version itself; empty where nobody measured it."""
        outcomes: Sequence[Mapping[str, Any]] = self.metrics.get("outcomes") or [{}]
        return outcomes[0]

    @property
    def rebuilding(self) -> bool:
        """Whether a next generation is being built; a build that was killed counts for REBUILD_LIMIT at most."""
        return self.rebuild_started_at is not None and timezone.now() - self.rebuild_started_at < REBUILD_LIMIT

    @property
    def layout(self) -> Layout:
        """What its vectors consist of. Only cosines of parts can be weighed: other distances compare the encoder's vector alone."""
        weighed = self.collection.distance == Distance.COSINE
        return Layout(self.dim, LAYOUTS[self.parts] if weighed else ())

    @property
    def default_weights(self) -> Weights:
        """What each part counts in a query that does not say."""
        found = self.weights.get("weights")
        return DEFAULT_WEIGHTS if found is None else Weights(**found)

    def index_collection(self, generation: int | None = None) -> IndexCollection:
        """The index collection of a generation (the live one unless said otherwise)."""
        number = self.index_generation if generation is None else generation
        return IndexCollection(f"{self.label}-g{number}", self.layout.dim, Distance(self.collection.distance))

    def text_collection(self, generation: int | None = None, dim: int | None = None) -> IndexCollection:
        """The index collection of the products' texts, which switches with that of the photos.

        Args:
            generation: None for the live one.
            dim: length of a text encoder's vectors, 0 for words alone; None for that of the live one.

        Returns:
            Its name and what its points have.
        """
        name = f"{self.index_collection(generation).name}-text"
        return IndexCollection(name, self.text_dim if dim is None else dim, sparse=SPARSE_VECTORS)


class RankerVersion(models.Model):
    """A ranker of a collection: what puts the best of the text search in a better order.

    `recipe`: its hyper-parameters. `data`: how many judgements it was trained and measured on. `metrics`: nDCG@10 on judgements
    kept aside, beside that of the text search (see `embeddings.ranking.quality`).
    """

    class Kind(models.TextChoices):
        """The kinds of rankers."""

        BOOSTED = ranker_files.BOOSTED, _("boosted trees")
        DEEPRANK = ranker_files.DEEPRANK, _("DeepRank")

    collection = models.ForeignKey(
        Collection, verbose_name=_("collection"), on_delete=models.CASCADE, related_name="rankers"
    )
    number = models.PositiveIntegerField(_("number"), validators=[MinValueValidator(1)])
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    files = models.CharField(_("files"), max_length=200, help_text=_("Folder of its model in ENCODERS_ROOT."))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    recipe = models.JSONField(_("recipe"), default=dict, blank=True)
    data = models.JSONField(_("judgements"), default=dict, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("ranker version")
        verbose_name_plural = _("ranker versions")
        ordering = ("collection", "-number")
        constraints = [models.UniqueConstraint(fields=("collection", "number"), name="ranker_version_number_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How users name the version: `fashion-r2`."""
        return f"{self.collection.slug}-r{self.number}"


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


class IndexedTextQuerySet(models.QuerySet["IndexedText"]):
    """Rows of the texts' outbox. Only the `mark_*` methods write `state`, `revision` and `changed_at`, as with photos."""

    def mark_pending(self) -> int:
        """Have the texts indexed: they are new, or the product changed. Returns how many rows were written."""
        return self._mark(IndexedText.State.PENDING)

    def mark_removed(self) -> int:
        """Have the points deleted, and the rows after them. Returns how many rows were written."""
        return self._mark(IndexedText.State.REMOVED)

    def mark_indexed(self, rows: Sequence[IndexedText]) -> None:
        """The points of these rows are in the index, with their `terms` and `vector`.

        rows: locked, and of the revision that was written.

        `changed_at` stays: it says when there was work, which a build of the next generation looks for.
        """
        for row in rows:
            row.state = IndexedText.State.INDEXED
        # All of them exist. bulk_update would write a CASE of each row for each column, and take ten times as long.
        self.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["state", "terms", "vector", "vector_of"],
            batch_size=200,
        )

    def _mark(self, state: str) -> int:
        return self.update(state=state, revision=models.F("revision") + 1, changed_at=Now())


class IndexedText(models.Model):
    """The state of one product's text with one encoder version, in whose text index it is: a row of the texts' outbox.

    Rows outlive their product as `removed` until the point is deleted.
    """

    class State(models.TextChoices):
        """What is still to be done for the product's point in the text index."""

        PENDING = "pending", _("to index")
        INDEXED = "indexed", _("indexed")
        REMOVED = "removed", _("to remove from the index")

    version = models.ForeignKey(
        EncoderVersion, verbose_name=_("encoder version"), on_delete=models.CASCADE, related_name="texts"
    )
    product_id = models.PositiveBigIntegerField(_("product"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    terms = models.BinaryField(
        _("terms"),
        default=bytes,
        editable=False,
        help_text=_("What the document frequencies count of it: little-endian uint32."),
    )
    vector = models.BinaryField(
        _("vector"), null=True, editable=False, help_text=_("Of the text encoder: little-endian float16.")
    )
    vector_of = models.CharField(
        _("vector of"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("SHA-256 of the text encoder and the text that the vector is of."),
    )
    revision = models.PositiveIntegerField(_("revision"), default=1)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    objects = IndexedTextQuerySet.as_manager()

    class Meta:
        verbose_name = _("indexed text")
        verbose_name_plural = _("indexed texts")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=("version", "product_id"), name="text_once_per_version")]
        indexes = [
            models.Index(fields=("version", "state", "product_id"), name="text_outbox"),
            models.Index(fields=("product_id",), name="text_by_product"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.state}"


class DocumentFrequency(models.Model):
    """How many products have a term in their text; that of the term 0, which all have, is how many products there are."""

    version = models.ForeignKey(EncoderVersion, on_delete=models.CASCADE, related_name="+")
    term = models.PositiveBigIntegerField(_("term"))
    documents = models.IntegerField(_("products"))

    class Meta:
        verbose_name = _("document frequency")
        verbose_name_plural = _("document frequencies")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=("version", "term"), name="frequency_once_per_term")]

    def __str__(self) -> str:
        return f"{self.term}: {self.documents}"


class VerificationRequest(models.Model):
    """A comparison of a live index with the database that waits for the process that holds the index, and then its result.

    Attributes:
        done: rows that were compared.
        total: rows that there are.
        missing: see VerificationReport; like the next two None until it has ended.
        error: why it failed; "" if it did not.
    """

    version = models.ForeignKey(EncoderVersion, on_delete=models.CASCADE, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(null=True)
    stale = models.PositiveIntegerField(null=True)
    orphaned = models.PositiveIntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("verification request")
        verbose_name_plural = _("verification requests")
        default_permissions = ()
        constraints = [
            # Two commands that ask at once wait for the same comparison.
            models.UniqueConstraint(
                fields=("version",), condition=models.Q(finished_at=None), name="verification_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.finished_at or 'open'}"


class Diagnosis(models.Model):
    """Something that looks wrong with a product, found by the catalogue doctor, and the decision about it.

    Attributes:
        photo_id: id of the photo that it is about; 0 if it is about the product.
        suggestion: path of a category, a colour, or the id of another product; "" for none.
        confidence: 0 to 1; what it means is the kind's own.
        evidence: ids of photos that show why.
        before: what accepting it has changed, plain JSON, to undo it.
    """

    class Kind(models.TextChoices):
        """What looks wrong."""

        CATEGORY = "category", _("looks like another category")
        FOREIGN_PHOTO = "foreign", _("photo of another product")
        NO_PRODUCT = "no_product", _("photo that shows no product")
        COLOUR_MISSING = "no_colour", _("colour is missing")
        COLOUR_WRONG = "colour", _("another colour than it says")

    class Decision(models.TextChoices):
        """What was decided."""

        OPEN = "open", _("open")
        ACCEPTED = "accepted", _("accepted")
        DISMISSED = "dismissed", _("dismissed")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    product = models.ForeignKey(
        "catalog.Product", verbose_name=_("product"), on_delete=models.CASCADE, related_name="+"
    )
    photo_id = models.PositiveBigIntegerField(_("photo"), default=0)
    suggestion = models.CharField(_("suggestion"), max_length=500, blank=True)
    confidence = models.FloatField(_("confidence"))
    evidence = models.JSONField(_("evidence"), default=list, blank=True)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision.choices, default=Decision.OPEN)
    before = models.JSONField(_("before"), null=True, editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)

    class Meta:
        verbose_name = _("finding of the catalogue doctor")
        verbose_name_plural = _("catalogue doctor")
        default_permissions = ()
        indexes = [models.Index(fields=("decision", "kind", "-confidence"), name="diagnosis_list")]
        constraints = [
            models.UniqueConstraint(fields=("kind", "product", "photo_id"), name="diagnosis_once_per_product_and_photo")
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.kind}"


class MatchCoefficients(models.Model):
    """Coefficients of the matcher that were fitted on what this shop decided about pairs; the latest count.

    Attributes:
        values: by feature, see `embeddings.matching.features`.
        pairs: how many decided pairs they were fitted on.
    """

    values = models.JSONField(_("coefficients"))
    pairs = models.PositiveIntegerField(_("pairs"))
    fitted_at = models.DateTimeField(_("fitted"), auto_now_add=True)

    class Meta:
        verbose_name = _("coefficients of the matcher")
        verbose_name_plural = _("coefficients of the matcher")
        default_permissions = ()

    def __str__(self) -> str:
        return f"fitted on {self.pairs} pairs"
