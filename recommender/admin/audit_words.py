"""What the pages of the admin and the endpoints of the API are called in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# By the name of the URL, or of the endpoint; pages of rows have their words by the name of their model.
WORDS: dict[str, StrOrPromise] = {
    "admin:activation": _("submitted an activation, or the embedding for a comparison"),
    "admin:embed": _("made a key, or tested a page"),
    "admin:improve": _("submitted a training on the catalogue"),
    "admin:train_ranker": _("submitted a training of rankers"),
    "admin:password_change": _("changed the password"),
    "admin:jobs_job_cancel": _("cancelled a job"),
    "admin:embeddings_diagnosis_examine": _("submitted an examination of the catalogue"),
    "admin:embeddings_diagnosis_decide": _("decided on a finding of the catalogue doctor"),
    "admin:embeddings_encoderversion_verify": _("submitted a comparison of an index"),
    "admin:embeddings_encoderversion_roll_back": _("rolled back to the previous encoder version"),
    "admin:catalog_duplicatepair_decide": _("decided on near-duplicates"),
    "admin:catalog_duplicatepair_undo": _("undid a decision on near-duplicates"),
    "admin:catalog_duplicatepair_search": _("submitted a search for near-duplicates"),
    "admin:catalog_product_import_catalogue": _("uploaded a file to import"),
    "admin:catalog_import_uploads": _("began an upload to import"),
    "admin:catalog_import_upload": _("uploaded a part of a file to import"),
    "admin:catalog_import_draft": _("changed or submitted an import"),
    "admin:catalog_import_run": _("submitted an import that was tried out"),
    "admin:catalog_feed_import": _("submitted the import of a feed"),
    "admin:catalog_feed_try": _("submitted the import of a feed to try it out"),
    "api:feeds": _("added a feed by the API"),
    "api:feed": _("changed or deleted a feed by the API"),
    "api:feed_run": _("submitted the import of a feed by the API"),
    "api:imports": _("submitted an import by the API"),
    "api:import_of": _("submitted an import that was tried out by the API"),
    "api:train": _("submitted a training by the API"),
    "api:train_ranker": _("submitted a training of rankers by the API"),
    "api:job": _("cancelled a job by the API"),
    "api:products": _("added a product by the API"),
    "api:product": _("changed or deleted a product by the API"),
    "api:product_batch": _("changed products by the API"),
    "api:collection": _("changed a collection by the API"),
    "api:matches": _("compared records by the API"),
    "api:rule_sets": _("added a rule set by the API"),
    "api:rule_set": _("changed or deleted a rule set by the API"),
    "api:rules": _("added a rule by the API"),
    "api:rule": _("changed or deleted a rule by the API"),
}
