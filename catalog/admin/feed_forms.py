"""The form of a feed: where it is, what opens it, how often it is imported, and how its file is read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from catalog.admin.import_forms import DraftForm, initial_values, options_of
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import Credentials, InvalidFeed, check_feed, import_options
from catalog.models import Feed
from jobs.facts import worded
from product_files.rows import InvalidSource

if TYPE_CHECKING:
    _FeedModelForm = forms.ModelForm[Feed]
else:
    _FeedModelForm = forms.ModelForm


class FeedForm(_FeedModelForm):
    """A feed. User name and password are never shown again."""

    user = forms.CharField(
        label=_("User name"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("Only if the address asks for one (Basic authentication)."),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=500,
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("It is stored encrypted, and not shown again."),
    )
    remove_password = forms.BooleanField(
        label=_("Remove user name and password"), required=False, widget=UnfoldBooleanWidget
    )
    map = forms.CharField(
        label=_("Columns"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "sku = ArtNo"}),
        help_text=_(
            "One a line: field = column. Only what is not recognised by itself: “Try it” shows the columns, and lets you"
            " choose."
        ),
    )
    automatic = forms.BooleanField(
        label=_("Recognise the other columns by their names"), required=False, widget=UnfoldBooleanWidget
    )
    source = DraftForm.declared_fields["source"]
    deactivate_missing = DraftForm.declared_fields["deactivate_missing"]
    withdraw_many = DraftForm.declared_fields["withdraw_many"]
    update_only = DraftForm.declared_fields["update_only"]
    fetch = DraftForm.declared_fields["fetch"]
    currency = DraftForm.declared_fields["currency"]
    format = DraftForm.declared_fields["format"]
    encoding = DraftForm.declared_fields["encoding"]
    delimiter = DraftForm.declared_fields["delimiter"]
    decimal = DraftForm.declared_fields["decimal"]
    category_separator = DraftForm.declared_fields["category_separator"]
    image_separator = DraftForm.declared_fields["image_separator"]
    item = DraftForm.declared_fields["item"]
    table = DraftForm.declared_fields["table"]
    set = DraftForm.declared_fields["set"]

    class Meta:
        model = Feed
        fields = ("name", "address", "active", "schedule", "every_hours", "at_hour")
        help_texts = {
            "name": _("Its products are attributed to this name, unless you give another source."),
            "address": _("Of the file itself, with http:// or https://. The file may be packed with gzip or zip."),
            "active": _("Otherwise it is imported by hand only."),
            "every_hours": _("If it is imported every few hours."),
            "at_hour": _("If it is imported once a day: 0 to 23, in the time zone of the shop."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """A form that shows the options of the feed.

        Args:
            *args: as for a ModelForm.
            **kwargs: as for a ModelForm.
        """
        instance: Feed | None = kwargs.get("instance")
        options = import_options(instance) if instance is not None and instance.pk else ImportOptions()
        shown = {**initial_values(options), "automatic": options.automatic, "map": "\n".join(options.map)}
        kwargs["initial"] = {**shown, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        if not self.instance.credentials:
            del self.fields["remove_password"]
        else:
            # Else whoever saves another change would have to know it.
            kept = _("One is stored. Leave both empty to keep it.")
            self.fields["user"].help_text = self.fields["password"].help_text = kept

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            check_feed(self.instance, self.options(), self.credentials(), keep_credentials=self.keeps_credentials())
        except InvalidFeed as error:
            for name, reason in error.errors:
                self.add_error(name, worded(reason))
        except InvalidSource as error:
            self.add_error(None, worded(str(error)))

    def options(self) -> ImportOptions:
        """How the feed is imported. Raises InvalidSource where the options contradict each other."""
        cleaned = self.cleaned_data
        source = cleaned["source"] or cleaned["name"]
        options = options_of({**cleaned, "source": source}, automatic=cleaned["automatic"])
        return replace(options, map=tuple(filter(None, map(str.strip, cleaned["map"].splitlines()))))

    def credentials(self) -> Credentials | None:
        """Those that were entered; None where none were."""
        user, password = self.cleaned_data["user"], self.cleaned_data["password"]
        return Credentials(user, password) if user or password else None

    def keeps_credentials(self) -> bool:
        """Whether the feed keeps those that it has, unless others were entered."""
        return not self.cleaned_data.get("remove_password")
