"""What can be wrong with a photo behind a link, a stored photo or a product: declared once, worded where it is shown.

See jobs/facts.py; what is wrong with a file is in pictures/photo_facts.py and in product_files.
"""

from __future__ import annotations

from jobs.facts import FactKind
from jobs.facts import gettext_noop as _

# Photos behind links.
PHOTO_TOO_LARGE = FactKind("photo-too-large", _("the photo is larger than %(limit)s bytes: use a smaller one"))
HOST_REFUSES = FactKind("host-refuses", _("%(host)s responds with %(status)s"))
LINK_WRONG = FactKind("link-wrong", _("%(host)s responds with %(status)s: is the link right?"))
LINK_FORBIDDEN = FactKind(
    "link-forbidden",
    _(
        "%(host)s responds with %(status)s: allow the user agent “%(agent)s” there, or give links that everybody may open"
    ),
)
HOST_COMPRESSES = FactKind("host-compresses", _("%(host)s compresses the photo (%(encoding)s) unasked"))
NO_RESPONSE = FactKind("no-response", _("no response from %(host)s (%(error)s)"))
IMPORT_STOPPED = FactKind("import-stopped", _("the import was stopped"))
HOST_TOO_SLOW = FactKind("host-too-slow", _("%(host)s is too slow: the photo did not arrive within %(seconds)s s"))
HOST_GIVEN_UP = FactKind(
    "host-given-up",
    _("%(host)s failed %(times)s times in a row and gets no more requests: import again later"),
)
ATTEMPTS_FAILED = FactKind("attempts-failed", _("%(reason)s (%(attempts)s attempts): import again later"))
TOO_MANY_REDIRECTS = FactKind(
    "too-many-redirects",
    _("the link redirects more than %(limit)s times: use the URL that it leads to"),
)
ADDRESS_NOT_PUBLIC = FactKind(
    "address-not-public",
    _(
        "%(host)s is %(address)s, an address of a private or special network: links are followed to public"
        " servers (the setting FETCH_ALLOW_NETWORKS allows others)"
    ),
)
LINK_TOO_LONG = FactKind("link-too-long", _("the link is longer than %(limit)s characters"))
NOT_A_URL = FactKind("not-a-url", _("this is not a URL: %(error)s"))
LINK_SCHEME = FactKind("link-scheme", _("the link has the scheme %(scheme)s: use http or https"))
LINK_WITHOUT_HOST = FactKind("link-without-host", _("the link has no host name"))
LINK_WITH_USER = FactKind("link-with-user", _("the link contains a user name: use a link without a password"))
LINK_PORT = FactKind(
    "link-port",
    _("the link has the port %(port)s: use 80 or 443 (the setting FETCH_PORTS allows others)"),
)
HOST_IS_A_NUMBER = FactKind(
    "host-is-a-number",
    _("%(host)s is a number instead of a host name: use the name, or four numbers from 0 to 255"),
)
NO_LONGER_KEPT = FactKind("no-longer-kept", _("the photo is no longer kept: choose it again"))
PHOTOS_TOO_SLOW = FactKind("photos-too-slow", _("the photos did not arrive within %(seconds)s s together"))

# Photos that are embedded.
PHOTO_DELETED = FactKind("photo-deleted", _("the photo was deleted before it was embedded"))
FILE_MISSING = FactKind(
    "file-missing",
    _("the file %(file)s is missing from the media storage: import or upload the photo again"),
)
MEDIA_FAILED = FactKind("media-failed", _("the media storage failed: %(error)s"))

# Rows.
SKU_IN_OTHER_CASE = FactKind("sku-in-other-case", _("the SKU differs from %(sku)s on line %(line)s in case only"))
REJECTED_BY_DATABASE = FactKind("rejected-by-database", _("the database rejected it: %(error)s"))

# Why missing products were not withdrawn.
ONLY_CHANGES = FactKind("only-changes", _("the source has only what changed"))
NOT_READ_TO_ITS_END = FactKind("not-read-to-its-end", _("the source was not read to its end"))
SOURCE_EMPTY = FactKind("source-empty", _("the source is empty"))
MANY_REJECTED = FactKind("many-rejected", _("%(rejected)s of %(rows)s rows were rejected"))
MANY_MISSING = FactKind(
    "many-missing",
    _(
        "%(missing)s of the %(known)s products of this source are missing, more than %(percent)s percent of them: look whether"
        " the file is whole. If it is, allow that many to be withdrawn"
    ),
)

# Feeds.
FEED_WITH_USER = FactKind(
    "feed-with-user", _("the address contains a user name: enter it and the password in their own fields")
)
FEED_USER_WITH_COLON = FactKind(
    "feed-user-with-colon",
    _("a user name of Basic authentication cannot have a colon: what follows it is the password"),
)
FEED_PASSWORD_NEEDED = FactKind(
    "feed-password-needed", _("the address leads to another server: enter the user name and the password again")
)
FEED_SECRET_LOST = FactKind(
    "feed-secret-lost",
    _("the password of the feed cannot be read, because the server has another SECRET_KEY: enter it again"),
)
FEED_GONE = FactKind("feed-gone", _("the feed was deleted"))

# Previews.
NO_PHOTO = FactKind("no-photo", _("the product has no photo"))
NOT_IN_UPLOAD = FactKind("not-in-upload", _("there is no file %(file)s in the upload"))
LINK_WITHOUT_PHOTO = FactKind("link-without-photo", _("%(link)s has no photo"))
NOT_IN_ARCHIVE = FactKind("not-in-archive", _("there is no file %(file)s in the archive"))

# How a source is read.
NO_PRODUCTS = FactKind("no-products", _("there is no product in the file: is it the right one, and all of it?"))
