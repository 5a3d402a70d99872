"""Why a whole file, an archive or an option of an import is refused: declared once, worded where it is shown.

See jobs/facts.py; what is wrong with a row is in product_files/row_facts.py, with a photo in pictures/photo_facts.py.
"""

from __future__ import annotations

from jobs.facts import FactKind
from jobs.facts import gettext_noop as _

# Files that are no catalogue, and options that do not fit a file.
NOT_A_ZIP = FactKind("not-a-zip", _("%(file)s is not a zip archive"))
IS_PDF = FactKind("is-pdf", _("%(file)s is a PDF: get its table as CSV"))
IS_OLD_OFFICE = FactKind(
    "is-old-office", _("%(file)s is a document of an older Office: save it as .xlsx, or its sheet as CSV in UTF-8")
)
IS_PICTURE = FactKind("is-picture", _("%(file)s is a picture: send a zip of photos, or a table that lists them"))
IS_PACKED = FactKind("is-packed", _("%(file)s is packed with %(program)s: pack it as a zip"))
GZIP_DAMAGED = FactKind(
    "gzip-damaged", _("%(file)s is damaged, its gzip cannot be unpacked (%(error)s): pack it again")
)
GZIP_CUT = FactKind("gzip-cut", _("%(file)s ends in the middle of its gzip: copy or send it again, whole"))
GZIP_TOO_LARGE = FactKind(
    "gzip-too-large",
    _("%(file)s unpacks to more than %(limit)s bytes: divide it, or raise the setting IMPORT_MAX_BYTES"),
)
IS_IMPEX = FactKind(
    "is-impex", _("%(file)s is an ImpEx script of SAP Commerce: export the products as CSV, or as a product feed")
)
IS_YAML = FactKind("is-yaml", _("%(file)s is YAML: save its products as JSON or CSV"))
IS_OPEN_DOCUMENT = FactKind(
    "is-open-document", _("it is an OpenDocument spreadsheet: save it as .xlsx, or its sheet as CSV in UTF-8")
)
IN_FILE = FactKind("in-file", _("%(file)s: %(reason)s"))
THE_FILE = FactKind("the-file", _("the file"))
THE_ARCHIVE = FactKind("the-archive", _("the archive"))
THE_UPLOAD = FactKind("the-upload", _("the upload: send a zip that contains the photos, too"))
AND_MORE = FactKind("and-more", _("%(names)s and %(more)s more"))
NO_TABLES_TO_CHOOSE = FactKind(
    "no-tables-to-choose", _("%(file)s has no tables to choose from, so there is no table %(table)s: name none")
)
NO_ELEMENTS_TO_CHOOSE = FactKind(
    "no-elements-to-choose",
    _("the format %(format)s has no elements to choose, so there is no item %(item)s: set none, or the format xml"),
)
NOT_A_TABLE = FactKind("not-a-table", _("%(file)s in %(archive)s is not a table"))
NO_TABLE_IN_ARCHIVE = FactKind(
    "no-table-in-archive", _("the archive has photos and no table, so it is not of the format %(format)s")
)
NO_FILES = FactKind("no-files", _("there is no file in %(folder)s or in the folders below it"))
# Tables to choose from.
ARCHIVE_TABLES = FactKind(
    "archive-tables", _("there are %(number)s tables in the archive (%(tables)s): name the table to import")
)
SAME_NAMES_IN_ARCHIVE = FactKind(
    "same-names-in-archive", _("there are %(number)s files %(table)s in the archive (%(found)s): name its path")
)
NO_SUCH_FILE_IN_ARCHIVE = FactKind(
    "no-such-file-in-archive", _("there is no file %(table)s in the archive: it has %(found)s")
)
SHEETS = FactKind("sheets", _("there are %(number)s sheets in the workbook (%(sheets)s): name the table to import"))
NO_SUCH_SHEET = FactKind("no-such-sheet", _("there is no sheet %(sheet)s in the workbook: it has %(sheets)s"))
HTML_TABLES = FactKind(
    "html-tables", _("there are %(number)s tables in the HTML file (%(tables)s): name the table to import")
)
NO_SUCH_HTML_TABLE = FactKind(
    "no-such-html-table", _("there is no table %(table)s in the HTML file: it has %(number)s, numbered from 1")
)
# Workbooks and web pages.
WORKBOOK_TOO_LARGE = FactKind(
    "workbook-too-large", _("the workbook has more than %(limit)s MB of texts: save its sheet as CSV")
)
WORKBOOK_DAMAGED = FactKind(
    "workbook-damaged", _("the workbook is damaged: save it again with a spreadsheet program, or as CSV")
)
WORKBOOK_EMPTY = FactKind("workbook-empty", _("the workbook has no sheet with anything in it"))
HTML_BROKEN = FactKind(
    "html-broken", _("the HTML file is broken: a tag or comment in it is not closed. Get its table as CSV")
)
HTML_REPEATED = FactKind(
    "html-repeated", _("the HTML file has more than %(limit)s MB in cells over several rows: get its table as CSV")
)
HTML_MANY_TABLES = FactKind(
    "html-many-tables", _("the HTML file has more than %(limit)s tables: get its table of products as CSV")
)
WEB_PAGE = FactKind("web-page", _("the file is a web page without a table of products, not a catalogue"))
WEB_ARCHIVE_PARTS = FactKind(
    "web-archive-parts", _("the web archive has more than %(limit)s parts: get its table as CSV")
)
WEB_ARCHIVE_DAMAGED = FactKind(
    "web-archive-damaged", _("the web archive (MHTML) is damaged: save it again, or get its table as CSV")
)
# Texts and CSV.
NO_SUCH_ENCODING = FactKind(
    "no-such-encoding",
    _("there is no text encoding %(encoding)s: use one such as %(examples)s, or another that Python knows"),
)
ENCODING_UNCLEAR = FactKind(
    "encoding-unclear",
    _(
        "the encoding of the file is not certain, so nothing was read: set the encoding in which this is"
        " right: %(choices)s"
    ),
)
NOT_TEXT = FactKind("not-text", _("the file is not text: is it a spreadsheet? Save it as CSV in UTF-8"))
NO_COLUMN_NAMES = FactKind("no-column-names", _("the file is empty: its first line has to be the column names"))
FIRST_LINE = FactKind("first-line", _("the first line: %(reason)s"))
# Columns and options.
NO_SUCH_FIELD = FactKind("no-such-field", _("there is no field %(field)s: the fields are %(fields)s"))
ONE_COLUMN_ONLY = FactKind(
    "one-column-only", _('%(field)s can have only one column; to join several, set %(field)s to "{one} {other}"')
)
DELIMITER_UNKNOWN = FactKind("delimiter-unknown", _("delimiter is %(text)s: use one of , ; | or tab"))
DECIMAL_UNKNOWN = FactKind("decimal-unknown", _("decimal is %(text)s: use . or ,"))
FIELD_WITHOUT_COLUMN = FactKind(
    "field-without-column", _("no column is mapped to the field %(field)s. Columns found: %(columns)s")
)
SKU_WITHOUT_COLUMN = FactKind(
    "sku-without-column",
    _(
        "no column is mapped to the field sku. Columns found: %(columns)s. If no two products have the same title,"
        " map %(title)s to sku"
    ),
)
SKUS_THE_SAME = FactKind(
    "skus-the-same",
    _("no column is mapped to the field sku, and none is taken: most products have the same text in %(columns)s"),
)
COMBINATIONS_ALONE = FactKind(
    "combinations-alone",
    _(
        "the table has the combinations of products, as PrestaShop writes them, without names: import its table of products"
    ),
)
NO_SUCH_COLUMN = FactKind("no-such-column", _("there is no column %(column)s. Columns found: %(columns)s"))
SAME_COLUMN_NAMES = FactKind(
    "same-column-names", _("several columns have the name %(column)s. Columns found: %(columns)s")
)
NOT_AN_EXPORT = FactKind(
    "not-an-export",
    _("there is no column %(missing)s: is it a product export of %(system)s? Columns found: %(columns)s"),
)
NOT_A_FEED_TABLE = FactKind(
    "not-a-feed-table", _("there is no column %(missing)s: a feed has %(names)s ... in its first line")
)
NOT_VISION = FactKind(
    "not-vision", _("the first line does not begin with gs://: is it a bulk import file of Google Product Search?")
)
SOURCE_NEEDED = FactKind(
    "source-needed",
    _("withdrawing missing products needs the name of a source, because only its products are withdrawn"),
)
SOURCE_TOO_LONG = FactKind("source-too-long", _("the name of the source has more than %(limit)s characters"))
# JSON.
TOO_MANY_NAMES = FactKind(
    "too-many-names", _("the objects have more than %(limit)s different names: put varying data into values")
)
NO_JSON_OBJECT = FactKind("no-json-object", _("no line is a JSON object: %(reason)s"))
OBJECT_TOO_LONG = FactKind("object-too-long", _("an object has more than %(limit)s characters"))
OBJECTS_TOO_DEEP = FactKind("objects-too-deep", _("lists and objects are nested more than %(limit)s levels deep"))
OBJECT_UNREADABLE = FactKind("object-unreadable", _("the object cannot be read as JSON: %(error)s"))
NOT_ONLY_OBJECTS = FactKind("not-only-objects", _("the list has something that is not an object"))
# XML.
XML_BROKEN = FactKind(
    "xml-broken",
    _("the XML is broken or cut off at line %(line)s, column %(column)s (%(error)s): export the feed again"),
)
XML_ENCODING = FactKind(
    "xml-encoding", _("the XML is in an encoding that cannot be read (%(error)s): save it as UTF-8")
)
XML_TOKEN_TOO_LONG = FactKind("xml-token-too-long", _("line %(line)s has a tag or comment longer than %(limit)s bytes"))
XML_DOCTYPE = FactKind(
    "xml-doctype",
    _(
        "the XML has a document type declaration at line %(line)s, which is not allowed: is it a web page?"
        " Remove <!DOCTYPE ...>"
    ),
)
XML_TOO_DEEP = FactKind("xml-too-deep", _("line %(line)s is more than %(limit)s elements deep"))
XML_EMPTY = FactKind("xml-empty", _("the file is empty: it has to be XML"))
OTHER_ROOT = FactKind(
    "other-root", _("the root element of the XML is %(root)s, not %(wanted)s: is it a file of %(format)s?")
)
NO_SUCH_ELEMENT = FactKind("no-such-element", _("the XML has no element %(item)s: it has %(elements)s"))
ELEMENT_UNCLEAR = FactKind(
    "element-unclear",
    _("it is not clear which elements of the XML are products: set item to the name of one. It has %(elements)s"),
)
OFFERS_ALONE = FactKind(
    "offers-alone",
    _(
        "it has the offers of CommerceML, without their products: import the file of the catalogue"
        " (import.xml) with this one beside it, or a zip with both"
    ),
)
CLASSIFIER_TOO_LARGE = FactKind(
    "classifier-too-large", _("the classifier has more than %(limit)s groups, properties and values")
)
TOO_MANY_CATEGORIES = FactKind("too-many-categories", _("the feed has more than %(limit)s categories"))
# Uploads.
UPLOAD_TOO_LARGE = FactKind("upload-too-large", _("the file is larger than %(limit)s bytes: divide it"))
UPLOAD_TOO_LONG = FactKind("upload-too-long", _("the file has more than the %(size)s bytes that were announced"))
UPLOAD_INCOMPLETE = FactKind("upload-incomplete", _("only %(arrived)s of %(size)s bytes have arrived: upload it again"))
UPLOAD_EXPIRED = FactKind(
    "upload-expired", _("the file is no longer kept: upload it again (it is kept for %(hours)s hours)")
)
# Archives.
MEMBER_TOO_LARGE = FactKind("member-too-large", _("%(file)s is larger than %(limit)s bytes: reduce the file"))
MEMBER_TWICE = FactKind("member-twice", _("the archive has %(file)s twice (ignoring case): pack the folder again"))
MEMBER_AND_FOLDER = FactKind("member-and-folder", _("%(file)s is a file and a folder at once: pack the folder again"))
ARCHIVE_EMPTY = FactKind("archive-empty", _("there is no file in the archive: pack a folder of photos"))
ARCHIVE_BOMB = FactKind(
    "archive-bomb",
    _(
        "the archive unpacks to %(unpacked)s bytes from %(packed)s, more than photos ever do: pack the"
        " photos themselves"
    ),
)
ARCHIVE_TOO_LARGE = FactKind(
    "archive-too-large",
    _("the archive unpacks to %(unpacked)s bytes; the maximum is %(limit)s: send fewer or smaller photos"),
)
ARCHIVE_TOO_MANY_FILES = FactKind(
    "archive-too-many-files", _("the archive has more than %(limit)s entries: send fewer photos at a time")
)
ARCHIVE_FILE_EMPTY = FactKind("archive-file-empty", _("the file is empty: send a zip archive with a folder of photos"))
ARCHIVE_NOT_ZIP = FactKind("archive-not-zip", _("the file is not a zip archive: pack the folder of photos as .zip"))
ARCHIVE_DAMAGED = FactKind(
    "archive-damaged", _("the archive is damaged: %(what)s; pack it again and send the whole file")
)
MEMBER_UNREADABLE = FactKind("member-unreadable", _("%(file)s cannot be unpacked (%(error)s)"))
MEMBER_CHECKSUM = FactKind("member-checksum", _("the checksum of %(file)s is wrong"))
MEMBER_WRONG_SIZE = FactKind(
    "member-wrong-size", _("%(file)s does not have its declared size: pack the folder again with another program")
)
ARCHIVE_WITHOUT_END = FactKind("archive-without-end", _("its end is missing or cannot be read (%(error)s)"))
ARCHIVE_DIRECTORY = FactKind("archive-directory", _("an entry reaches into its directory"))
MEMBERS_OVERLAP = FactKind("members-overlap", _("the entry %(file)s overlaps another: pack the folder again"))
MEMBER_UNSAFE = FactKind("member-unsafe", _("the entry %(file)s %(what)s: pack the folder again, by relative paths"))
IS_OUTSIDE = FactKind("is-outside", _("is outside the target folder"))
HAS_CONTROL_CHARACTERS = FactKind("has-control-characters", _("has control characters in its name"))
IS_ABSOLUTE = FactKind("is-absolute", _("is an absolute path"))
LEADS_OUT = FactKind("leads-out", _("leads out of the archive"))
HAS_LONG_NAME = FactKind("has-long-name", _("has too long a name"))
MEMBER_SPECIAL = FactKind(
    "member-special", _("%(file)s is a link or a device: pack the photos themselves, not links to them")
)
MEMBER_ENCRYPTED = FactKind("member-encrypted", _("%(file)s is encrypted: pack the folder without a password"))
MEMBER_COMPRESSION = FactKind(
    "member-compression", _("%(file)s uses an unsupported compression method: use deflate or none")
)
DRY_RUN_EXPIRED = FactKind(
    "dry-run-expired",
    _(
        "job %(job)s is no dry run whose file is still kept: send the file again (it is kept for %(hours)s hours, and until it is"
        " imported)"
    ),
)
CHANGES_ONLY = FactKind(
    "changes-only",
    _(
        "the file has only prices or stocks of products that are there already: import it to change products only (update-only)"
    ),
)
