"""Field types of our own."""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from mongoengine import StringField

import config


@lru_cache(maxsize=1)
def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in config.settings().fernet_keys])


class EncryptedStringField(StringField):
    """A string that is encrypted at rest: plain in Python, a Fernet token in the store.

    The newest key of ENCRYPTION_KEYS encrypts; every listed key decrypts, so keys can be rotated.
    """

    def to_mongo(self, value: str) -> str:
        return _cipher().encrypt(value.encode()).decode()

    def to_python(self, value: str) -> str:
        return value

    def __get__(self, instance: object, owner: type) -> object:
        value = super().__get__(instance, owner)
        if instance is None or not isinstance(value, str) or not value.startswith("gAAAA"):
            return value
        return _cipher().decrypt(value.encode()).decode()
