"""What is said where something cannot be stored: what it is, where it was to be written, and why not."""

from __future__ import annotations

from jobs.facts import FactKind
from jobs.facts import gettext_noop as _
from stores.errors import FAULTS

CANNOT_BE_WRITTEN_TO = FactKind(
    "cannot-be-written-to", _("%(what)s cannot be written to %(place)s: %(reason)s, then try again")
)
CANNOT_BE_WRITTEN = FactKind("cannot-be-written", _("%(what)s cannot be written: %(reason)s, then try again"))

WHAT_WAS_SENT = FactKind("what-was-sent", _("what was sent"))
FILE_NAMED = FactKind("file-named", _("the file %(name)s"))
THE_DATABASE = FactKind("the-database", _("the database"))
ARCHIVE_CONTENT = FactKind("archive-content", _("the archive's content"))
UNPACKED_FILE = FactKind("unpacked-file", _("the unpacked file"))
WORKBOOK_SHEET = FactKind("workbook-sheet", _("the sheet of the workbook"))
HTML_TABLE = FactKind("html-table", _("the table of the HTML file"))
REJECTED_TABLE = FactKind("rejected-table", _("the table of rejected rows"))
TEMPORARY_FOLDER = FactKind("temporary-folder", _("the folder for temporary files (TMPDIR)"))

NO_ROOM = FactKind("no-room", _("there is no room left on the disk: free some"))
QUOTA_USED_UP = FactKind("quota-used-up", _("its quota is used up: free some of it, or have it raised"))
MOUNTED_READ_ONLY = FactKind("mounted-read-only", _("it is mounted read-only: have it mounted for writing"))
MAY_NOT_WRITE = FactKind("may-not-write", _("this process may not write there: let its user do so"))
DISK_ERROR = FactKind("disk-error", _("%(error)s: look at the disk"))
DATABASE_NO_ROOM = FactKind("database-no-room", _("there is no room left on its disk: free some"))
DATABASE_READ_ONLY_NOW = FactKind("database-read-only-now", _("it is read-only now"))
DATABASE_FILE_READ_ONLY = FactKind("database-file-read-only", _("its file is read-only: have it writable"))
DATABASE_FILE_ERROR = FactKind("database-file-error", _("its file cannot be read or written: look at its disk"))

# What is wrong with a store, by the codes of its faults.
STORE_FAULTS = {fault.code: FactKind(fault.code, fault.template) for fault in FAULTS}
