"""Field types of our own."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from mongoengine import StringField
from mongoengine.base import BaseField

import config


@lru_cache(maxsize=1)
def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in config.settings().fernet_keys])


class Undecipherable(Exception):
    """A secret was encrypted with a key that is not in ENCRYPTION_KEYS: put it back, or enter it again."""

    permanent = True


def _is_token(value: object) -> bool:
    """A Fernet token by its shape: version 0x80, time, 16 bytes of salt, blocks of 16, 32 bytes of MAC."""
    if not isinstance(value, str) or not value.startswith("gAAAA"):
        return False
    try:
        data = base64.b64decode(value, altchars=b"-_", validate=True)
    except ValueError:
        return False
    return len(data) >= 73 and (len(data) - 57) % 16 == 0


class PlainField(BaseField):
    """An object of plain values, kept as it is: MongoEngine would walk it at each turn, and convert nothing.

    So whoever changes it in place has to assign it anew.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default": dict, **options})

    def validate(self, value: object) -> None:
        if not isinstance(value, dict):
            self.error(f"{self.name} must be an object")

    def lookup_member(self, name: str) -> BaseField:
        """For indexes and queries that name something within."""
        return BaseField(db_field=name)


class EncryptedStringField(StringField):
    """A string that is encrypted at rest: plain in Python, a Fernet token in the store.

    The newest key of ENCRYPTION_KEYS encrypts; every listed key decrypts, so keys can be rotated.
    """

    def to_mongo(self, value: str) -> str:
        return value if _is_token(value) else _cipher().encrypt(value.encode()).decode()

    def to_python(self, value: str) -> str:
        return value

    def __get__(self, instance: object, owner: type) -> object:
        value = super().__get__(instance, owner)
        if instance is None or not _is_token(value):
            return value
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            raise Undecipherable(
                f"{self.name} cannot be decrypted: put the key it was stored with back into ENCRYPTION_KEYS, "
                "or enter it again"
            ) from None
