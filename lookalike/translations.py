"""The texts of pages in other languages: found in the source, kept in .po files, and compiled into the .mo files that Django reads.

`make messages` does all of it, with Babel alone. The tests name each text without a translation.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import django
import unfold
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from lookalike.environment import BASE_DIR, LANGUAGES

# The texts in the source are in the first language.
TRANSLATIONS = LANGUAGES[1:]

# The functions that mark a text, without the ending of the lazy ones.
_SINGULAR = ("_", "gettext", "gettext_noop")
_PLURAL = ("ngettext",)
_WITH_CONTEXT = ("pgettext", "npgettext")
# What Django makes of a text in a template; it fills the rest of the template with letters.
_CALL = re.compile(r"""\bn?p?gettext\((?:\s*u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\s*,?)+\s*(?:count\s*)?\)""")
_PLACEHOLDER = re.compile(r"%\(\w+\)[#0 +-]*\d*(?:\.\d+)?[a-z]|%[sdrf]|\{\w*\}")
_DJANGO = Path(django.__file__).parent
_UNFOLD = Path(unfold.__file__).parent
_STOREFRONT = BASE_DIR / "storefront"
_LINE_LENGTH = 120


@dataclass(frozen=True)
class Area:
    """A part of the pages, with files of its own.

    Attributes:
        name: what it is called in the output.
        folder: its files, in a folder for each language.
        sources: files, and folders of templates and modules.
        complete: languages in which no text may be missing.
        before: the area that Django asks first: its texts are not repeated here.
    """

    name: str
    folder: Path
    sources: tuple[Path, ...]
    complete: tuple[str, ...]
    before: Area | None = None

    @cached_property
    def texts(self) -> list[Message]:
        """The texts in the source."""
        found = Catalog()
        for path in _files(self.sources):
            for text in _texts(path):
                found.add(text.id, locations=[(_place(path), 1)], context=text.context)
        others = {_key(text) for text in self.before.texts} if self.before else set()
        return [text for text in _messages(found) if _key(text) not in others]

    def po_path(self, language: str) -> Path:
        """The translations as people write them."""
        return self.folder / language / "LC_MESSAGES" / "django.po"

    def mo_path(self, language: str) -> Path:
        """The translations as Django reads them."""
        return self.po_path(language).with_suffix(".mo")

    def catalog(self, language: str) -> Catalog:
        """The texts in the source, with the translations that there are."""
        path = self.po_path(language)
        known = read_po(io.BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
        header = known.header_comment if path.exists() else f"# The texts of the {self.name}."
        catalog = _Catalog(locale=language, header_comment=header, fuzzy=False)
        for text in self.texts:
            old = known.get(_singular(text), text.context)
            kept = old is not None and not old.fuzzy and old.id == text.id
            catalog.add(
                text.id,
                old.string if old is not None and kept else _untranslated(text, catalog),
                locations=text.locations,
                user_comments=old.user_comments if old is not None else (),
                context=text.context,
            )
        return catalog

    def missing(self, language: str) -> list[str]:
        """The texts that have no translation."""
        return [_singular(text) for text in _messages(self.catalog(language)) if not all(_strings(text.string))]

    def with_wrong_placeholders(self, language: str) -> list[str]:
        """The translations whose placeholders are not those of their text."""
        wrong = []
        for text in _messages(self.catalog(language)):
            allowed = [_placeholders(form) for form in _strings(text.id)]
            wrong += [form for form in _strings(text.string) if form and _placeholders(form) not in allowed]
        return wrong


class _Catalog(Catalog):
    """Its header has no dates and names, which would change with every run."""

    @property  # type: ignore[misc]  # nobody sets them
    def mime_headers(self) -> list[tuple[str, str]]:
        language = str(self.locale_identifier)
        return [
            ("Language", language),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", get_plural(language).plural_forms),
        ]


SHOP = Area(
    "storefront",
    _STOREFRONT / "locale",
    (_STOREFRONT, BASE_DIR / "recommender" / "templates" / "recommender"),
    complete=TRANSLATIONS,
)
# All apps but the storefront, why files are refused, what stores say, and django-unfold, which has no translations of its own.
ADMIN = Area(
    "admin",
    BASE_DIR / "lookalike" / "locale",
    (
        *(path.parent for path in sorted(BASE_DIR.glob("*/apps.py")) if path.parent != _STOREFRONT),
        BASE_DIR / "pictures",
        BASE_DIR / "product_files",
        BASE_DIR / "stores" / "errors.py",
        *(_UNFOLD / part for part in ("templates/admin", "templates/registration", "templates/unfold")),
        *(
            _UNFOLD / f"{module}.py"
            for module in ("admin", "forms", "mixins/base_model_admin", "widgets", "templatetags/unfold_list")
        ),
    ),
    complete=TRANSLATIONS,
    before=SHOP,
)
AREAS = (SHOP, ADMIN)


def po_file(catalog: Catalog) -> bytes:
    """The .po file of a catalogue."""
    file = io.BytesIO()
    write_po(file, catalog, width=_LINE_LENGTH, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


def mo_file(po: bytes, language: str) -> bytes:
    """Compile a .po file: the texts that have a translation.

    Args:
        po: the file's content.
        language: its code.

    Returns:
        The .mo file's content.
    """
    compiled = _Catalog(locale=language, fuzzy=False)
    for text in _messages(read_po(io.BytesIO(po), locale=language)):
        if all(_strings(text.string)) and not text.fuzzy:
            compiled.add(text.id, text.string, context=text.context)
    file = io.BytesIO()
    write_mo(file, compiled)
    return file.getvalue()


def main() -> None:
    """Bring all files up to date with the source, and say how many texts have no translation."""
    for area in AREAS:
        for language in TRANSLATIONS:
            po = po_file(area.catalog(language))
            area.po_path(language).parent.mkdir(parents=True, exist_ok=True)
            area.po_path(language).write_bytes(po)
            area.mo_path(language).write_bytes(mo_file(po, language))
            missing = len(area.missing(language))
            sys.stdout.write(f"{area.name}, {language}: {len(area.texts)} texts, {missing} without a translation\n")


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        found = [source] if source.is_file() else source.rglob("*")
        yield from sorted(path for path in found if path.suffix in {".py", ".html"})


def _texts(path: Path) -> list[Message]:
    """The texts in a file. Those of django-unfold that Django translates are left out."""
    source = path.read_text()
    if path.suffix == ".html":
        source = "\n".join(call.group() for call in _CALL.finditer(templatize(source, origin=str(path))))
    found = Catalog()
    # Not Babel's own search: what it finds in f-strings depends on the version of Python.
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)] if "gettext" in source else []
    for call in sorted(calls, key=lambda node: node.lineno):
        name = call.func.id.removesuffix("_lazy") if isinstance(call.func, ast.Name) else ""
        given = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        context = given.pop(0) if name in _WITH_CONTEXT and given else None
        if given and name in (*_SINGULAR, *_PLURAL, *_WITH_CONTEXT):
            found.add(tuple(given) if len(given) > 1 else given[0], context=context)
    texts = _messages(found)
    return [text for text in texts if _singular(text) not in _of_django()] if path.is_relative_to(_UNFOLD) else texts


@cache
def _of_django() -> frozenset[str]:
    files = [
        *_DJANGO.glob("conf/locale/en/LC_MESSAGES/django.po"),
        *_DJANGO.glob("contrib/*/locale/en/LC_MESSAGES/django.po"),
    ]
    return frozenset(_singular(text) for file in files for text in _messages(read_po(io.BytesIO(file.read_bytes()))))


def _place(path: Path) -> str:
    root = BASE_DIR if path.is_relative_to(BASE_DIR) and not path.is_relative_to(_UNFOLD) else _UNFOLD.parent
    return path.relative_to(root).as_posix()


def _messages(catalog: Catalog) -> list[Message]:
    """The entries without the header."""
    return [message for message in catalog if message.id]


def _key(text: Message) -> tuple[str, str | None, bool]:
    return _singular(text), text.context, text.pluralizable


def _singular(text: Message) -> str:
    return _strings(text.id)[0]


def _strings(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    """A text, or its forms."""
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def _untranslated(text: Message, catalog: Catalog) -> str | tuple[str, ...]:
    return ("",) * catalog.num_plurals if text.pluralizable else ""


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(text))


if __name__ == "__main__":
    main()
