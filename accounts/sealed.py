"""Secrets that have to be read again, such as the password of a feed: encrypted in the database, with a key from SECRET_KEY.

Whoever has a copy of the database alone cannot read them. With another SECRET_KEY they are lost, unless the former one is among
SECRET_KEY_FALLBACKS.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class CannotUnseal(Exception):
    """The secret was sealed with another SECRET_KEY, or is damaged."""


def seal(secret: str, purpose: str) -> str:
    """Encrypt a secret.

    Args:
        secret: any text.
        purpose: where it belongs; it is sealed for that place alone.

    Returns:
        What is stored: ASCII.
    """
    return _cipher(purpose).encrypt(secret.encode()).decode("ascii")


def unseal(sealed: str, purpose: str) -> str:
    """Decrypt a secret.

    Args:
        sealed: what `seal` has returned.
        purpose: the same.

    Returns:
        The secret.

    Raises:
        CannotUnseal: this SECRET_KEY has not sealed it for this purpose.
    """
    from cryptography.fernet import InvalidToken

    try:
        return _cipher(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise CannotUnseal from error


def _cipher(purpose: str) -> MultiFernet:
    # Takes 8 MB; processes without secrets of this kind do without.
    from cryptography.fernet import Fernet, MultiFernet

    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    keys = [salted_hmac(f"accounts.sealed:{purpose}", "", secret=each, algorithm="sha256").digest() for each in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
