"""Why jobs fail, as far as it is not their work's own: declared once, worded where it is shown (jobs/facts.py)."""

from __future__ import annotations

from jobs.facts import FactKind
from jobs.facts import gettext_noop as _

INTERRUPTED = FactKind("interrupted", _("the work was interrupted again and again: is there memory enough?"))
UPLOAD_GONE = FactKind("upload-gone", _("what was sent is gone: send it again"))
NOT_STARTED = FactKind("not-started", _("its process cannot be started: %(error)s"))
ENDED = FactKind("ended", _("its process ended unexpectedly, with status %(status)s: the server's log says why"))
KILLED_FOR_MEMORY = FactKind(
    "killed-for-memory",
    _("its process was killed (%(signal)s): most likely the machine has too little memory for it"),
)
KILLED = FactKind("killed", _("its process was killed (%(signal)s): the server's log may say why"))
FILES_FAILED = FactKind("files-failed", _("the server cannot read or write its files: %(error)s, then start it again"))
MEMORY_OF_TRAINING = FactKind(
    "memory-of-training", _("the memory does not suffice for this training: send fewer photos")
)
