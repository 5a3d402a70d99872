"""What a store of files cannot do, as an error of the operating system: readers and writers handle both alike."""

from __future__ import annotations

from dataclasses import dataclass


def gettext_noop(text: str) -> str:
    """Mark a text for translation. Django's own asks for the settings, which the recipes of `training` run without.

    Args:
        text: English.

    Returns:
        The text.
    """
    return text


@dataclass(frozen=True, slots=True)
class Fault:
    """What can be wrong with a store.

    Attributes:
        code: its name; it stays when the wording changes.
        template: English, a clause that ends with the remedy, with named placeholders.
    """

    code: str
    template: str


NO_ANSWER = Fault(
    "store-no-answer",
    gettext_noop("the store does not answer (%(error)s): look at it, at the network and at STORAGE_ENDPOINT_URL"),
)
NO_ANSWER_BEFORE = Fault("store-no-answer-before", gettext_noop("the store did not answer a moment ago"))
NO_KEY = Fault(
    "store-no-key",
    gettext_noop(
        "there is no key for %(place)s: set STORAGE_ACCESS_KEY_ID and STORAGE_SECRET_ACCESS_KEY, or the variables of AWS"
    ),
)
WRONG_KEY = Fault(
    "store-wrong-key",
    gettext_noop(
        "the store does not take this key (%(answer)s): correct STORAGE_ACCESS_KEY_ID and STORAGE_SECRET_ACCESS_KEY"
    ),
)
NOT_ALLOWED = Fault(
    "store-not-allowed",
    gettext_noop("the key may not do this there (%(answer)s: %(operation)s): have its policy allow it"),
)
NO_BUCKET = Fault("store-no-bucket", gettext_noop("there is no bucket of %(place)s: create it, or correct STORAGE_URL"))
FULL = Fault("store-full", gettext_noop("there is no room left in the store: free some, or have its quota raised"))
BUSY = Fault("store-busy", gettext_noop("the store fails at the moment (%(answer)s)"))
REFUSES = Fault("store-refuses", gettext_noop("the store refuses %(operation)s (%(answer)s)"))
CHANGED = Fault("store-changed", gettext_noop("%(file)s in %(place)s is not what was stored: store it again"))

FAULTS = (
    NO_ANSWER,
    NO_ANSWER_BEFORE,
    NO_KEY,
    WRONG_KEY,
    NOT_ALLOWED,
    NO_BUCKET,
    FULL,
    BUSY,
    REFUSES,
    CHANGED,
)


class StoreError(OSError):
    """The store does not do what it was asked. The message says what is wrong and what to do.

    Attributes:
        fault: what is wrong.
        parameters: about what, by the names of the placeholders.
        is_passing: whether the same request may succeed in a while, because the store is away or busy.
    """

    def __init__(self, number: int, fault: Fault, *, is_passing: bool = False, **parameters: str) -> None:
        """An error.

        Args:
            number: of `errno`, the nearest that an operating system has.
            fault: what is wrong.
            is_passing: whether the same request may succeed in a while.
            **parameters: by the names of the placeholders.
        """
        super().__init__(number, fault.template % parameters)
        self.fault = fault
        self.parameters = parameters
        self.is_passing = is_passing

    def __str__(self) -> str:
        return str(self.strerror)
