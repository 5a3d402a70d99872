"""The shop's colours, the settings BRAND_COLOUR and BRAND_COLOUR_DARK, for the storefront, the admin and the widget in them."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from unfold.settings import CONFIG_DEFAULTS

from catalog.contrast import BLACK, WHITE, mixed, text_upon

# Unfold's default has too little contrast on its dark background (4.3:1).
_READABLE = {"500": "oklch(67% .23 303.9)"}
# How much white or black a shade has, of those that the admin does not use for text.
_TINTS = {"50": 0.95, "100": 0.9, "200": 0.78, "300": 0.6}
_SHADES = {"700": 0.15, "800": 0.3, "900": 0.45, "950": 0.65}


def brand(_: HttpRequest) -> dict[str, str]:
    """Context processor. `brand_version`: changes with the colours; "" where the shop has none of its own."""
    if not settings.BRAND_COLOUR:
        return {"brand_version": ""}
    return {"brand_version": f"{settings.BRAND_COLOUR[1:]}-{settings.BRAND_COLOUR_DARK[1:]}"}


def style_sheet() -> str:
    """The rules that replace the storefront's own colours; "" without a brand."""
    if not settings.BRAND_COLOUR:
        return ""
    light, dark = (
        f":root {{ --accent: {colour}; --on-accent: {text_upon(colour)}; }}"
        for colour in (settings.BRAND_COLOUR, settings.BRAND_COLOUR_DARK)
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def admin_shades(_: HttpRequest) -> dict[str, str]:
    """The shades of django-unfold: text is 600 on light pages, and 500 or 400 on dark ones; buttons are 600 with white text."""
    if not settings.BRAND_COLOUR:
        return {**CONFIG_DEFAULTS["COLORS"]["primary"], **_READABLE}
    light, dark = settings.BRAND_COLOUR, settings.BRAND_COLOUR_DARK
    return {
        **{name: mixed(light, WHITE, share) for name, share in _TINTS.items()},
        "400": mixed(dark, WHITE, 0.1),
        "500": dark,
        "600": light,
        **{name: mixed(light, BLACK, share) for name, share in _SHADES.items()},
    }
