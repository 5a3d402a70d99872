"""Renders the sections of integrations/shopify as a theme does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from liquid import Environment, StrictUndefined

FOLDER = Path(settings.BASE_DIR) / "integrations" / "shopify" / "sections"
_ENVIRONMENT = Environment()
_OWN_TAGS = r"\{% (schema|stylesheet) %\}(.*?)\{% end\1 %\}"


class Related(list[Any]):
    """A list of references of a metafield, which knows its `count`."""

    def __getitem__(self, key: Any) -> Any:
        return len(self) if key == "count" else super().__getitem__(key)


def schema(name: str) -> dict[str, Any]:
    """The settings of a section, as its author declared them."""
    blocks = dict(re.findall(_OWN_TAGS, (FOLDER / name).read_text(), re.DOTALL))
    found: dict[str, Any] = json.loads(blocks["schema"])
    return found


def render(name: str, product: dict[str, Any], **values: Any) -> str:
    """A section on the page of a product; its settings are the defaults and these."""
    text = re.sub(_OWN_TAGS, "", (FOLDER / name).read_text(), flags=re.DOTALL)
    given = {each["id"]: each.get("default", "") for each in schema(name)["settings"]} | values
    section = {"id": "template--1", "settings": given}
    return _ENVIRONMENT.from_string(text).render(
        product=product, section=section, request={"locale": {"iso_code": "de"}}
    )


def _image_url(image: dict[str, Any], *, width: int) -> str:
    return f"{image['src']}?width={width}"


def _money(cents: int) -> str:
    return f"€{cents / 100:.2f}"


_ENVIRONMENT.undefined = StrictUndefined
_ENVIRONMENT.add_filter("image_url", _image_url)
_ENVIRONMENT.add_filter("money", _money)
