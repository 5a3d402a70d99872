"""Template tags of strips as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.template.context import Context
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def part(context: Context, name: str) -> SafeString:
    """The attribute `part`, by which a style sheet finds an element, and the element's own style if it has one."""
    style = context["styles"].get(name)
    return format_html(' part="{}" style="{}"', name, style) if style else format_html(' part="{}"', name)


@register.filter
def as_data(answer: Mapping[str, Any]) -> SafeString:
    """A JSON object as a data block, which the widget reads."""
    return json_script(answer)
