"""Checks of all pages on a device: each page is opened once for all tests that use it, and looked at in both colour schemes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from playwright.sync_api import Error, Frame, Page

from accounts.models import User
from tests.browser.pages import PAGES, Shop, Shown, opened

Device = Literal["phone", "desktop"]
Scheme = Literal["light", "dark"]

AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
# The accessible name of the admin's select box for a related row is the selected value, so an empty box has no name. Django's
# script (Select2) creates the box and has no setting for the name.
NOT_OURS = [".select2-container"]
# The rules of axe-core whose result depends on the colours, of those that it applies by default (its tag cat.color).
COLOUR_RULES = ("color-contrast", "link-in-text-block")
# The schemes in the order in which a page shows them. Each device opens it in another one, so it is opened in both.
SCHEMES: dict[str, tuple[Scheme, Scheme]] = {"phone": ("light", "dark"), "desktop": ("dark", "light")}
# The admin's script asks for the visitor's scheme when the page is loaded, and whenever its own setting changes. Transitions of
# colours end at once.
_FOLLOW_SCHEME = """async () => {
  const theme = window.Alpine?.$data(document.documentElement);
  for (const setting of theme && "adminTheme" in theme ? ["light", "auto"] : []) {
    theme.adminTheme = setting;
    await Alpine.nextTick();
  }
  await new Promise(requestAnimationFrame);
  const roots = (root) => [root, ...[...root.querySelectorAll("*")].flatMap((one) => one.shadowRoot ? roots(one.shadowRoot) : [])];
  const animations = roots(document).flatMap((root) => root.getAnimations());
  animations.filter((one) => one instanceof CSSTransition).forEach((one) => one.finish());
  return theme === undefined ? null : document.documentElement.classList.contains("dark");
}"""


@dataclass(frozen=True)
class Look:
    """The results of one page in one colour scheme.

    Attributes:
        title: of the document.
        headings: number of first-level headings.
        width: in CSS pixels, of all that can be scrolled to.
        violations: of accessibility, of every level; empty where axe-core is not installed.
        trouble: why the page did not open whole, or what the browser complained of; empty where all was well.
    """

    title: str = ""
    headings: int = 0
    width: float = 0
    violations: list[str] = field(default_factory=list)
    trouble: str = ""


def look_at_all(
    page: Page, device: Device, shop: Shop, sign_in: Callable[[User], None], complaints: list[str]
) -> dict[Scheme, dict[str, Look]]:
    """Open every page of the shop, and return the results by colour scheme and the page's name."""
    looks: dict[Scheme, dict[str, Look]] = {scheme: {} for scheme in SCHEMES[device]}
    for shown in sorted(PAGES, key=lambda one: one.signed_in):
        if shown.signed_in:
            sign_in(shop.owner)
        for scheme, look in zip(SCHEMES[device], _look_at(page, device, shop, shown, complaints), strict=True):
            looks[scheme][shown.name] = look
    return looks


def _look_at(page: Page, device: Device, shop: Shop, shown: Shown, complaints: list[str]) -> tuple[Look, Look]:
    """The looks in both schemes. In the second one, axe-core applies only the rules on colours: nothing else has changed."""
    first, second = SCHEMES[device]
    try:
        page.emulate_media(color_scheme=first)
        with opened(page, shop, shown, complaints):
            as_opened = _look(page, shown)
            change_scheme(page, second)
            return as_opened, _look(page, shown, COLOUR_RULES)
    except (AssertionError, Error) as error:
        return Look(trouble=str(error)), Look(trouble=str(error))


def change_scheme(page: Page, scheme: Scheme) -> None:
    """Change the visitor's colour scheme, without loading the page again."""
    page.emulate_media(color_scheme=scheme)
    is_dark = page.evaluate(_FOLLOW_SCHEME)
    assert is_dark in {None, scheme == "dark"}, f"the page does not change to {scheme}"


def _look(page: Page, shown: Shown, rules: Sequence[str] | None = None) -> Look:
    return Look(
        title=page.title().strip(),
        headings=page.get_by_role("heading", level=1).count(),
        width=page.evaluate("document.documentElement.scrollWidth"),
        violations=find_violations(page, rules) if shown.ours and AXE.exists() else [],
    )


def find_violations(page: Page | Frame, rules: Sequence[str] | None = None) -> list[str]:
    """The findings of axe-core in a page, of every level: rule, place and remedy.

    Args:
        page: the page, or a frame of one.
        rules: ids of the rules to apply; None: all of them.

    Returns:
        A text for each finding.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    # What it says of rules that are kept is longer, and not needed here.
    found = page.evaluate(
        "([exclude, options]) => axe.run({ exclude }, options).then(({ violations }) => violations)",
        [NOT_OURS, options],
    )
    return [_described(rule, node) for rule in found for node in rule["nodes"]]


def find_violations_in_both(page: Page, scheme: Scheme) -> list[str]:
    """The findings in the visitor's colour scheme, and those on colours in the other one; it is the visitor's again afterwards."""
    found = find_violations(page)
    change_scheme(page, "dark" if scheme == "light" else "light")
    found += find_violations(page, COLOUR_RULES)
    change_scheme(page, scheme)
    return found


def find_violations_in_frames(page: Page, scheme: Scheme) -> list[str]:
    """The findings in each frame of a page, as in `find_violations_in_both`."""
    frames = page.main_frame.child_frames
    found = [each for frame in frames for each in find_violations(frame)]
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    found += [each for frame in frames for each in find_violations(frame, COLOUR_RULES)]
    page.emulate_media(color_scheme=scheme)
    return found


def _described(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = " >>> ".join(" > ".join(part) if isinstance(part, list) else part for part in node["target"])
    return f"{rule['impact']} {rule['id']}: {target}\n    {node['html'][:200]}\n    {node['failureSummary']}"
