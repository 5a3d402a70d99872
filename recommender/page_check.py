"""Tests a shop's page from outside: is the widget on it, does its key fit its origin, does its policy let the strip work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.errors import InvalidApiKey
from accounts.keys import ApiKeyInfo, authenticate
from catalog.fetching import PageUnreachable, WebPage, fetch_page
from catalog.outgoing import LinkNotAllowed
from catalog.selectors import existing_ids, ids_of_skus
from recommender.snippets import SCRIPT, content_policy, media_address, origin_of

_STRIPS = ("similar-products", "visual-search")
# Of elements of any kind that the widget puts a strip into.
_HOST_ATTRIBUTES = ("data-similar-to", "data-similar-to-sku", "data-similar-to-skus")
_PRODUCT_ATTRIBUTES = ("sku", "product-id", "skus", *_HOST_ATTRIBUTES)
_SCRIPT_DIRECTIVES = ("script-src-elem", "script-src", "default-src")
_CONNECT_DIRECTIVES = ("connect-src", "default-src")
_IMAGE_DIRECTIVES = ("img-src", "default-src")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        is_well: whether it is as it should be.
        text: what was found.
        remedy: what to do about it; "" where nothing is to be done.
    """

    is_well: bool
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Element:
    tag: str
    attributes: dict[str, str]

    def get(self, name: str) -> str:
        """An attribute of the element, which another shop's element has as `data-…`; as the widget, without spaces round it."""
        return (self.attributes.get(name) or self.attributes.get(f"data-{name}", "")).strip()


@dataclass
class _Contents(HTMLParser):
    """The scripts, strips and policies of a page."""

    scripts: list[_Element] = field(default_factory=list)
    strips: list[_Element] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, {name: value or "" for name, value in attrs})
        if tag == "script" and "src" in element.attributes:
            self.scripts.append(element)
        elif tag in _STRIPS or not element.attributes.keys().isdisjoint(_HOST_ATTRIBUTES):
            self.strips.append(element)
        elif tag == "meta" and element.get("http-equiv").lower() == "content-security-policy":
            self.policies.append(element.get("content"))


def check_page(url: str, base: str) -> list[Finding]:
    """Fetch a page and say what keeps strips from being shown and counted there.

    Args:
        url: of a page of the shop.
        base: address of this server's root, as browsers reach it.

    Returns:
        What was found, in the order in which it has to be mended.
    """
    try:
        page = fetch_page(url)
    except LinkNotAllowed as error:
        return [Finding(False, _("This address is not asked: %s.") % error, _("Give the public address of a page."))]
    except PageUnreachable as error:
        return [
            Finding(False, _("The page does not answer: %s.") % error, _("Is the address right, and the page public?"))
        ]
    if page.status != 200:
        return [
            Finding(
                False,
                _("The page answers with status %d.") % page.status,
                _("Give the address of a page that visitors see without signing in."),
            )
        ]
    contents = _Contents()
    contents.feed(page.text)
    script, found = _script(contents, page, base)
    findings = [Finding(True, _("The page answers.")), found, _strips(contents)]
    if products := _unknown_products(contents):
        findings.append(products)
    findings.append(_key(contents, origin_of(page.url)))
    if script is not None and page.url.startswith("https:") and base.startswith("http:"):
        findings.append(
            Finding(
                False,
                _("The page is served by HTTPS, and this server by HTTP: browsers block that."),
                _("Serve this server by HTTPS, and set PUBLIC_URL to its address."),
            )
        )
    return [*findings, *_policy(contents, page, script, base)]


def _script(contents: _Contents, page: WebPage, base: str) -> tuple[_Element | None, Finding]:
    """The widget's script on the page, and what is to be said of it."""
    scripts = [
        each
        for each in contents.scripts
        if each.get("src").partition("?")[0].endswith(("/similar.js", "/photo-search.js"))
    ]
    wanted = f'<script type="module" src="{base}{SCRIPT}"></script>'
    remedy = _("Put this line into the page: %s") % wanted
    if not scripts:
        return None, Finding(False, _("The script of the widget is not in the page's markup."), remedy)
    script = scripts[0]
    address = _address(page, script)
    if not address.startswith(f"{base}/") and not script.attributes.get("integrity"):
        text = _("The script comes from %(found)s, and this server is %(base)s.")
        return script, Finding(False, text % {"found": origin_of(address), "base": base}, remedy)
    if script.get("type").lower() != "module":
        return script, Finding(False, _("The script of the widget is no module, so that it does not run."), remedy)
    return script, Finding(True, _("The script of the widget is there."))


def _address(page: WebPage, script: _Element) -> str:
    """Where a script is; what is no address stays as it is."""
    try:
        return urljoin(page.url, script.get("src"))
    except ValueError:
        return script.get("src")


def _strips(contents: _Contents) -> Finding:
    strips = [each for each in contents.strips if each.tag == "visual-search" or _products_of(each)]
    if not contents.strips:
        return Finding(
            False,
            _("There is no strip in the page's markup."),
            _("Add <similar-products> to the product's template, unless a script of yours adds it."),
        )
    if not strips:
        return Finding(False, _("The strip names no product."), _("Give it the attribute sku or product-id."))
    return Finding(True, _("There is a strip in the page."))


def _products_of(element: _Element) -> dict[str, str]:
    return {name: value for name in _PRODUCT_ATTRIBUTES if (value := element.attributes.get(name, "").strip())}


def _unknown_products(contents: _Contents) -> Finding | None:
    """That the catalogue lacks a product that a strip names; None where it has all of them."""
    named = [pair for element in contents.strips for pair in _products_of(element).items()]
    ids = {value for name, value in named if name in ("product-id", "data-similar-to")}
    skus = {
        sku.strip()
        for name, value in named
        if name not in ("product-id", "data-similar-to")
        for sku in (value.split(",") if name.endswith("skus") else [value])
        if sku.strip()
    }
    numbers = {int(text): text for text in ids if text.isascii() and text.isdigit() and len(text) < 19}
    known = {numbers[each] for each in existing_ids(numbers)}
    missing = sorted((ids - known) | (skus - ids_of_skus(skus).keys()))
    if not missing:
        return None
    return Finding(
        False,
        _("The catalogue has no product %s.") % ", ".join(missing[:5]),
        _("Import it, or write its SKU as the catalogue has it."),
    )


def _key(contents: _Contents, origin: str) -> Finding:
    """Whether the strips' key is one that the page may use."""
    texts = [text for element in contents.strips if (text := element.get("api-key"))]
    if not texts:
        if settings.API_READS == "keys":
            return Finding(False, _("The strip has no key, and this server asks for one."), _("Make a key above."))
        return Finding(True, _("The strip has no key; this server asks for none."))
    try:
        key = authenticate(texts[0])
    except InvalidApiKey as error:
        return Finding(False, _("The key of the strip is not valid: %s.") % error, _("Make a key above."))
    return _key_at(key, origin)


def _key_at(key: ApiKeyInfo, origin: str) -> Finding:
    if not key.publishable:
        return Finding(
            False,
            _("The key %s… is secret, and everybody can read it in the page.") % key.prefix,
            _("Revoke it now, and make a publishable key above."),
        )
    if key.origins and origin not in key.origins:
        return Finding(
            False,
            _("The page is of the origin %(origin)s, and the key %(prefix)s… is for %(origins)s.")
            % {"origin": origin, "prefix": key.prefix, "origins": ", ".join(sorted(key.origins))},
            _("Add the origin to the key, on its page under API keys."),
        )
    return Finding(True, _("The key %s… may be used on this page.") % key.prefix)


def _policy(contents: _Contents, page: WebPage, script: _Element | None, base: str) -> list[Finding]:
    """What the content security policy blocks."""
    headers = [policy for value in page.header("content-security-policy") for policy in value.split(",")]
    policies = [policy for policy in [*headers, *contents.policies] if policy.strip()]
    if not policies:
        return [Finding(True, _("The page has no content security policy, so that nothing is blocked."))]
    address = _address(page, script) if script is not None else base + SCRIPT
    nonce = script.attributes.get("nonce", "") if script is not None else ""
    asked = (
        (_SCRIPT_DIRECTIVES, address, nonce, _("the script of the widget")),
        (_CONNECT_DIRECTIVES, f"{base}/api/products", "", _("the requests to the API")),
        (_IMAGE_DIRECTIVES, media_address(base), "", _("the photos")),
    )
    blocked = [
        (directives[-2], what)
        for directives, url, given, what in asked
        if not all(allows(policy, directives, url, page.url, given) for policy in policies)
    ]
    remedy = _("Add to the policy: %s") % content_policy(base)
    return [
        Finding(
            False,
            _("The content security policy (%(directive)s) blocks %(what)s.") % {"directive": directive, "what": what},
            remedy,
        )
        for directive, what in blocked
    ] or [Finding(True, _("The content security policy lets the strip work."))]


def allows(policy: str, directives: Sequence[str], url: str, page: str, nonce: str = "") -> bool:
    """Whether a content security policy lets a page load a URL.

    Args:
        policy: value of the header.
        directives: names, the most special first.
        url: what is to be loaded.
        page: URL of the page.
        nonce: of the script's element; "" for none.

    Returns:
        Whether it may be loaded (Content Security Policy Level 3, section 6.7).
    """
    named: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.split() or [""]
        named.setdefault(name.lower(), sources)
    chosen = next((named[directive] for directive in directives if directive in named), None)
    if chosen is None:
        return True
    if nonce and f"'nonce-{nonce}'" in chosen:
        return True
    if "'strict-dynamic'" in chosen and directives[0] == _SCRIPT_DIRECTIVES[0]:
        return False
    return any(_matches(source.lower(), url, page) for source in chosen)


def _matches(source: str, url: str, page: str) -> bool:
    """Whether a source expression matches a URL."""
    target, own = urlsplit(url), urlsplit(page)
    if source == "'self'":
        return origin_of(url) == origin_of(page)
    if source.startswith("'"):
        return False
    if source == "*":
        return target.scheme in ("http", "https")
    if source.endswith(":"):
        return target.scheme == source[:-1] or (source == "http:" and target.scheme == "https")
    scheme, separator, rest = source.rpartition("://")
    host, slash, path = rest.partition("/")
    name, _colon, port = host.partition(":")
    wanted = scheme if separator else own.scheme
    if target.scheme != wanted and not (wanted == "http" and target.scheme == "https"):
        return False
    found = (target.hostname or "").lower()
    if not (found == name or (name.startswith("*.") and found.endswith(name[1:]))):
        return False
    default = {"http": 80, "https": 443}.get(target.scheme)
    if port != "*" and str(target.port or default) != (port or str(default)):
        return False
    if not slash or not path:
        return True
    return target.path.startswith(f"/{path}") if path.endswith("/") else target.path == f"/{path}"
