"""What can be wrong with a row of a source, and how a source is read: declared once, worded where it is shown.

See jobs/facts.py; why a whole file is refused is in product_files/file_facts.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.facts import Fact, FactKind
from jobs.facts import gettext_noop as _

# Photos in folders and archives.
LINK_OUTSIDE = FactKind("link-outside", _("%(file)s is a symbolic link to a file outside the folder of photos"))
IS_A_FOLDER = FactKind("is-a-folder", _("%(file)s is a folder, not a file"))
NOT_AN_HTTP_URL = FactKind("not-an-http-url", _("%(link)s is not an HTTP URL: use http or https"))
NO_SUCH_FILE = FactKind("no-such-file", _("there is no file %(file)s in %(place)s"))
OUTSIDE_THE_FOLDER = FactKind("outside-the-folder", _("%(file)s is outside the folder of photos"))
SEVERAL_FILES = FactKind(
    "several-files",
    _("there are several files %(file)s in %(place)s (%(found)s): write the path of one"),
)

# Rows.
PRICE_NEGATIVE = FactKind("price-negative", _("the price %(price)s is negative"))
PRICE_OF_TWO_CURRENCIES = FactKind("price-of-two-currencies", _("the price %(price)s has two currencies"))
NOT_A_PRICE = FactKind("not-a-price", _("%(text)s is not a price"))
PERHAPS_IN_CENTS = FactKind("perhaps-in-cents", _("the prices may be in cents or not: they are left out"))
PRICE_AMBIGUOUS = FactKind(
    "price-ambiguous",
    _("the price %(price)s is ambiguous, thousands or decimals: set the decimal separator"),
)
PRICE_UNREADABLE = FactKind(
    "price-unreadable",
    _("the price %(price)s has neither groups of three digits nor one decimal separator"),
)
PRICE_TOO_LARGE = FactKind("price-too-large", _("the price %(price)s is too large"))
PRICE_ROUNDED = FactKind("price-rounded", _("the price %(price)s was rounded to %(amount)s %(currency)s"))
NO_SKU = FactKind("no-sku", _("there is no SKU"))
SKU_SHORTENED = FactKind(
    "sku-shortened",
    _(
        "the SKU %(sku)s has lost digits in a spreadsheet: import the file as the shop made it, or format the column as text"
    ),
)
NO_TITLE = FactKind("no-title", _("the title is empty"))
TOO_MANY_VALUES = FactKind("too-many-values", _("%(field)s has %(number)s values; only one is allowed"))
CURRENCY_UNKNOWN = FactKind(
    "currency-unknown",
    _("the currency %(currency)s is not known: use its three letters, as in EUR"),
)
CURRENCIES_DIFFER = FactKind("currencies-differ", _("the price is in %(of_price)s, but the currency is %(declared)s"))
NUL_BYTE = FactKind("nul-byte", _("%(field)s has a NUL byte"))
FOREIGN_BYTES = FactKind(
    "foreign-bytes",
    _("%(field)s has bytes that are not in the encoding of the file: set the encoding that it was saved in"),
)
AVAILABILITY_UNKNOWN = FactKind(
    "availability-unknown",
    _("available: %(text)s is neither yes, no, a known word nor a number of items"),
)
NEITHER_YES_NOR_NO = FactKind("neither-yes-nor-no", _("%(field)s: %(text)s is neither yes nor no"))
NOT_A_DATE = FactKind("not-a-date", _("%(text)s is not a date such as 2026-12-31"))
SKU_OF_ANOTHER = FactKind("sku-of-another", _("another variant has the SKU %(sku)s, too: this one became %(made)s"))
NOT_A_SALE_PERIOD = FactKind(
    "not-a-sale-period",
    _("sale_price_effective_date: %(text)s is not of the form 2030-01-31T08:00+0100/2030-02-07T22:00+0100"),
)
SALE_IGNORED = FactKind("sale-ignored", _("%(reason)s: the price is the one without the sale"))
SALE_LEFT_OUT = FactKind("sale-left-out", _("%(reason)s: the sale was left out"))
SPECIAL_PRICE_LEFT_OUT = FactKind("special-price-left-out", _("%(reason)s: the special price was left out"))
NAMES_WITHOUT_VALUES = FactKind(
    "names-without-values",
    _("%(field)s: there are %(names)s names and %(values)s values: they were left out"),
)
SKU_TWICE = FactKind("sku-twice", _("the SKU %(sku)s is already on line %(line)s"))
COLUMNS_MISSING = FactKind("columns-missing", _("%(found)s columns instead of %(expected)s"))
NO_PRODUCT_ID = FactKind("no-product-id", _("there is no product-id"))
LINE_TOO_LONG = FactKind("line-too-long", _("the line is longer than %(limit)s characters"))
NOT_CSV = FactKind("not-csv", _("the line cannot be read as CSV: %(error)s"))
QUOTE_NOT_CLOSED = FactKind("quote-not-closed", _("a cell starts with a quote that is not closed"))
TEXT_BEHIND_QUOTE = FactKind(
    "text-behind-quote",
    _("text follows the quote that closes a cell: write a quote within a cell as two"),
)
CELL_TOO_LONG = FactKind("cell-too-long", _("a cell is longer than %(limit)s characters: is its quote closed?"))
JSON_TOO_DEEP = FactKind("json-too-deep", _("the line is not JSON that can be read: it is nested too deeply"))
NOT_JSON = FactKind("not-json", _("the line is not JSON: %(error)s"))
NOT_AN_OBJECT = FactKind(
    "not-an-object",
    _("the line is JSON but not an object: write one object per line, or one list of objects in the whole file"),
)
NESTED_TOO_DEEP = FactKind("nested-too-deep", _("%(field)s is nested more than %(limit)s deep"))
ITEM_TOO_LONG = FactKind("item-too-long", _("the item is longer than %(limit)s characters"))
ITEM_TOO_LARGE = FactKind("item-too-large", _("the item has more than %(limit)s elements"))
NO_HANDLE = FactKind("no-handle", _("there is no handle"))
NO_VARIANTS = FactKind("no-variants", _("the product has no variants"))
LINE_UNREADABLE = FactKind("line-unreadable", _("line %(line)s, which may belong to this product, cannot be read"))
HANDLE_TOO_LONG = FactKind("handle-too-long", _("the handle has %(lines)s lines; the maximum is %(limit)s"))
TOO_MANY_VARIANTS = FactKind("too-many-variants", _("the product has more than %(limit)s variants"))

# How a source is read.
DECIMAL_COMMA = FactKind("decimal-comma", _("prices are read with ',' before the decimals"))
LIKELY_THOUSANDS = FactKind(
    "likely-thousands",
    _(
        "prices are read with %(mark)s between thousands, since nothing says that there are three decimals: set the decimal"
        " separator if there are"
    ),
)
PRICES_IN_PARTS = FactKind(
    "prices-in-parts", _("prices are divided by %(unit)s: answers of Shopee have them in such parts")
)
LEVELS_BY_SLASH = FactKind("levels-by-slash", _("categories are read with / between their levels"))
NO_CURRENCY = FactKind(
    "no-currency",
    _("the prices have no currency: %(currency)s was assumed; name the currency of the import if it is another"),
)
READ_AS_EXPORT = FactKind("read-as-export", _("read as a product export of %(system)s"))
READ_AS_FEED = FactKind("read-as-feed", _("read as a feed for %(system)s"))
PRICES_OF_ZERO = FactKind(
    "prices-of-zero",
    _("products with a price of 0: %(products)s; where that means no price, leave its cell empty in the file"),
)
NET_PRICES = FactKind("net-prices", _("the prices are without tax, of the type %(types)s"))
READ_AS_CATALOGUE = FactKind("read-as-catalogue", _("read as a catalogue of %(system)s"))
READ_AS = frozenset((READ_AS_EXPORT, READ_AS_FEED, READ_AS_CATALOGUE))
EACH_ELEMENT = FactKind("each-element", _("each element %(element)s is read as a product"))
SALE_PRICES = FactKind(
    "sale-prices", _("%(column)s is the price where it is lower than the price, and the other one the list price")
)
EACH_OBJECT = FactKind(
    "each-object", _("each object of %(model)s is read as a product; %(others)s other objects were left out")
)
NESTED_VARIANTS = FactKind("nested-variants", _("%(element)s in a product are its variants, a family of products"))
OTHER_OBJECTS = FactKind("other-objects", _("%(others)s objects that are no products were left out"))
SHEET = FactKind("sheet", _("read from the sheet %(sheet)s"))
OTHER_SHEETS = FactKind(
    "other-sheets",
    _(
        "sheets that have SKUs, too, and were not read: %(sheets)s; import each as the table of the file, to change products"
        " only (update-only)"
    ),
)
TABLE = FactKind("table", _("read from table %(table)s"))
ENCODING = FactKind("encoding", _("encoding: %(encoding)s"))
ENCODING_DETECTED = FactKind("encoding-detected", _("encoding: %(encoding)s, detected from the text"))
ENCODING_DAMAGED = FactKind(
    "encoding-damaged",
    _("encoding: %(encoding)s; %(lines)s lines have bytes that are not valid in it"),
)
KNOWN_COLUMNS = FactKind("known-columns", _("columns known by their names: %(columns)s"))
SKUS_REPEATED = FactKind("skus-repeated", _("most products have the same text in %(columns)s, so that it is no SKU"))
TITLE_OF_COLUMNS = FactKind("title-of-columns", _("there is no column of titles: a title is %(title)s"))
SKUS_OF_VARIANTS = FactKind(
    "skus-of-variants",
    _("several products have the same text in %(family)s, so that it is their family; their SKUs are in %(sku)s"),
)
SKUS_OF_LINKS = FactKind(
    "skus-of-links", _("there is no column of SKUs: the SKU of a product is its link in %(column)s")
)
SKUS_EMPTY = FactKind("skus-empty", _("the column %(column)s is empty: SKUs are taken from another one"))
SKUS_OF_NUMBERS = FactKind("skus-of-numbers", _("where %(column)s is empty, the SKU is the number in %(other)s"))
SKUS_OF_CATEGORIES = FactKind(
    "skus-of-categories",
    _("the numbers in %(column)s begin again in each category: a SKU is the text in %(category)s with the number"),
)
CURRENCY_OF_COLUMN = FactKind("currency-of-column", _("the currency is %(currency)s, as the column %(column)s says"))
UNUSED_COLUMNS = FactKind("unused-columns", _("columns that are not used: %(columns)s"))
MORE_UNUSED_COLUMNS = FactKind("more-unused-columns", _("columns that are not used: %(columns)s and %(more)s more"))
UNUSED_PHOTOS = FactKind("unused-photos", _("columns with links to photos that are not used: %(columns)s"))
UNUSED_PHOTO_FILES = FactKind(
    "unused-photo-files", _("columns with names of photos in the folder that are not used: %(columns)s")
)
ROWS_WITHOUT_TITLE = FactKind(
    "rows-without-title",
    _(
        "%(rows)s rows have a SKU and no title: if they are variants of the row above, write its title into them, and its SKU"
        " into a column family"
    ),
)
VARIANTS_BELOW = FactKind(
    "variants-below",
    _("%(rows)s rows without a title are variants of the product above them: they have its title, too"),
)
OTHER_CURRENCIES = FactKind(
    "other-currencies",
    _("%(rows)s rows with prices in other currencies were left out"),
)
STORE_VIEWS = FactKind(
    "store-views",
    _("%(rows)s rows of store views were left out: they translate products of other rows"),
)
OTHER_LANGUAGES = FactKind(
    "other-languages",
    _("%(rows)s rows were left out: they translate products into other languages than %(language)s"),
)
ICECAT_LANGUAGE = FactKind(
    "icecat-language",
    _("of texts in several languages, those with langid=%(language)s are taken (the others: %(others)s)"),
)
ROWS_OF_THE_PRODUCT_ABOVE = FactKind(
    "rows-of-the-product-above",
    _("%(rows)s rows were left out: they are no products, but attributes and the like of the product above"),
)
TOTALS_LEFT_OUT = FactKind("totals-left-out", _("line %(line)s was left out: it has the totals of the lines above"))
NOT_VISIBLE_ALONE = FactKind(
    "not-visible-alone",
    _("%(products)s products are not visible individually and belong to no configurable product: they are inactive"),
)
OFFERS_FROM = FactKind("offers-from", _("prices and stock are from %(files)s"))
NO_OFFERS = FactKind(
    "no-offers",
    _(
        "there is no file of offers (offers.xml) with it, so that prices and stock stay as they are: put it beside this one,"
        " or both in a zip"
    ),
)
PRICES_OF_TYPE = FactKind(
    "prices-of-type", _("the prices are those of the type %(type)s; there are others: %(others)s")
)
OFFERS_LEFT_OUT = FactKind(
    "offers-left-out",
    _("%(products)s products of the offers are not in the catalogue: they were left out"),
)


def unused_columns(columns: Sequence[str], most: int) -> Fact:
    """Which columns of a table are not used.

    Args:
        columns: at least one.
        most: so many are named.

    Returns:
        The fact.
    """
    named = ", ".join(columns[:most])
    left = len(columns) - most
    return MORE_UNUSED_COLUMNS(columns=named, more=left) if left > 0 else UNUSED_COLUMNS(columns=named)


def unused_photos(kind: FactKind, columns: Sequence[str]) -> Fact:
    """Which columns with photos are not used.

    Args:
        kind: UNUSED_PHOTOS or UNUSED_PHOTO_FILES.
        columns: at least one.

    Returns:
        The fact, whose parameter `first` is the first of them: a name may have a comma.
    """
    return kind(columns=", ".join(columns), first=columns[0])
