"""API keys of the server: who may ask."""

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from longloom.errors import ConfigError
from longloom.serving.refusals import refused

KEYS_VARIABLE = "LONGLOOM_SERVER_KEYS"
"""Environment variable with the keys, apart by commas or white space."""
ANYBODY = "anybody"
"""The holder of a request where no key is needed."""
_SHORTEST_KEY = 8


class ApiKeys:
    """The keys that are accepted; none means that everybody may ask."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Take the keys; only their digests are kept.

        Raises:
            ConfigError: a key is too short, or holds what no header can hold.
        """
        self._digests = []
        for number, key in enumerate(dict.fromkeys(keys), start=1):
            if len(key) < _SHORTEST_KEY or key.split() != [key] or not key.isascii():
                raise ConfigError(
                    f"API key {number} has {len(key)} characters; expected at least "
                    f"{_SHORTEST_KEY}, ASCII alone, without blanks"
                )
            self._digests.append(_digest(key))

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holder(self, authorization: str) -> str:
        """Return a name for the key in an `Authorization` header.

        It stays the same whatever other keys there are; it is never shown or stored. Every key
        is compared, in constant time.

        Raises:
            RefusedError: there is no such key.
        """
        if not self._digests:
            return ANYBODY
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(matches):
            raise refused(
                401,
                "no valid API key was sent; expected the header `Authorization: Bearer KEY`",
                code="invalid_api_key",
            )
        return f"key-{self._digests[matches.index(True)].hex()}"


def read_keys(file: Path | None, environment: Mapping[str, str] | None = None) -> ApiKeys:
    """Return the keys of a file, one a line, and of the environment.

    Raises:
        ConfigError: the file cannot be read or holds no key, or a key is unusable.
    """
    variables = os.environ if environment is None else environment
    keys = variables.get(KEYS_VARIABLE, "").replace(",", " ").split()
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ConfigError(f"the file of keys {file} cannot be read: {error}") from None
        found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not found:
            raise ConfigError(f"the file of keys {file} holds none; expected one key a line")
        keys += found
    return ApiKeys(keys)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
