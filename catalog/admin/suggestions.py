"""Words that are offered while somebody types, for the product form and the filters of the list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from catalog import suggestions

VIEW = "catalog_suggestions"
_MAX_TEXT = 200
_SOURCES: Mapping[str, Callable[[str, str], list[str]]] = {
    "brand": lambda text, _name: suggestions.known_brands(text),
    "tags": lambda text, _name: suggestions.known_tags(text),
    "attribute": lambda text, _name: suggestions.known_attribute_names(text),
    "value": lambda text, name: suggestions.known_attribute_values(name, text),
}


def suggest_attributes(source: str) -> dict[str, Any]:
    """Attributes of an input that offers known words.

    Args:
        source: "brand", "tags", "attribute" or "value".

    Returns:
        HTML attributes, which suggestions.js reads.
    """
    return {"data-suggest": source, "data-suggest-url": reverse_lazy(f"admin:{VIEW}"), "autocomplete": "off"}


class SuggestionsMixin(ModelAdmin):
    """For the admin of products: the view that answers with known words."""

    @method_decorator(require_safe)
    def suggestions_view(self, request: HttpRequest) -> JsonResponse:
        """Known words of `source` that contain `text`; values are those of the attribute `name`."""
        if not (self.has_view_or_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        source = _SOURCES.get(request.GET.get("source", ""))
        if source is None:
            raise BadRequest(f"source is one of {', '.join(_SOURCES)}")
        text, name = (request.GET.get(key, "")[:_MAX_TEXT].replace("\0", "") for key in ("text", "name"))
        found = source(text.strip(), name)
        return JsonResponse({"suggestions": found}, headers={"Cache-Control": "private, max-age=30"})
