"""What can be wrong with the file of a photo: declared once, worded where it is shown.

See jobs/facts.py.
"""

from __future__ import annotations

from pathlib import Path

from jobs.facts import Fact, FactKind
from jobs.facts import gettext_noop as _

# Photos.
FILE_EMPTY = FactKind("file-empty", _("the file is empty"))
NOT_A_FILE = FactKind("not-a-file", _("%(file)s is a folder or a device, not a file"))
FILE_UNREADABLE = FactKind("file-unreadable", _("%(file)s cannot be read: %(error)s"))
PIXELS_REFUSED = FactKind("pixels-refused", _("the picture has too many pixels: %(error)s"))
JPEG_SCANS = FactKind("jpeg-scans", _("the JPEG has more than %(limit)s scans: save it again"))
HEIC_WITHOUT_EXTRA = FactKind(
    "heic-without-extra",
    _(
        "the file is HEIC, which this server reads only with the extra heif (requirements/heif.txt): install"
        " it, or save the photo as JPEG"
    ),
)
SIDE_TOO_LONG = FactKind(
    "side-too-long",
    _("the picture has %(width)s x %(height)s pixels; the maximum is %(limit)s per side"),
)
TOO_MANY_PIXELS = FactKind(
    "too-many-pixels",
    _("the picture has %(width)s x %(height)s pixels; the maximum is %(limit)s in all: save it smaller"),
)
TOO_MUCH_MEMORY = FactKind(
    "too-much-memory",
    _(
        "decoding %(width)s x %(height)s pixels would take %(needed)s bytes of memory; the maximum is"
        " %(limit)s: save it smaller"
    ),
)
FILE_TOO_LARGE = FactKind("file-too-large", _("the file is larger than %(limit)s bytes: save it smaller"))
FORMAT_DAMAGED = FactKind("format-damaged", _("the %(format)s file is damaged or truncated: export or upload it again"))
FORMAT_UNUSABLE = FactKind("format-unusable", _("the file is %(format)s: save it as JPEG, PNG or WebP"))
NOT_A_PICTURE = FactKind("not-a-picture", _("the file is not a picture: use JPEG, PNG or WebP"))
PICTURE_TRUNCATED = FactKind("picture-truncated", _("the picture is truncated: copy or upload it again"))
PICTURE_DAMAGED = FactKind("picture-damaged", _("the picture is damaged (%(error)s): export it again"))


def unreadable(path: Path, error: OSError) -> Fact:
    """Why a file cannot be read.

    Args:
        path: of the file.
        error: what the operating system says.

    Returns:
        The fact.
    """
    return FILE_UNREADABLE(file=str(path), error=error.strerror or str(error))
