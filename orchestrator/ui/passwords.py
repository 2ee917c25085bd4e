"""The password of the web interface: a token as it is, or a hash of one by scrypt (RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError

HASH_VARIABLE = "ORCHESTRATOR_UI_PASSWORD_HASH"
LEAST_LENGTH = 12
LONGEST = 1024
_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
_MOST_MEMORY = 256 * 1024 * 1024
_MAKE_ONE = "make one with `orchestrator ui --hash-password`"


@dataclass(frozen=True)
class Password:
    """What a password is compared with; it shows nothing of itself."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Password(***)"

    def fits(self, given: str) -> bool:
        """Tell whether this is the password, in the same time whatever is wrong with it."""
        if len(given) > LONGEST:
            return False
        return hmac.compare_digest(_key(given, self.cost, self.block, self.parallel, self.salt), self.key)

    def text(self) -> str:
        """Return it as it stands in the environment."""
        numbers = f"{self.cost}${self.block}${self.parallel}"
        return f"scrypt${numbers}${self.salt.hex()}${self.key.hex()}"


def hashed(password: str) -> Password:
    """Make the hash of a password, with a salt of its own.

    Raises:
        ConfigurationError: it is too short or too long.
    """
    if not LEAST_LENGTH <= len(password) <= LONGEST:
        raise ConfigurationError(
            f"The password has {len(password)} characters, but needs {LEAST_LENGTH} to {LONGEST:,}.",
            to_fix="choose a longer one, such as four words that nobody says together",
        )
    salt = secrets.token_bytes(16)
    return Password(_COST, _BLOCK, _PARALLEL, salt, _key(password, _COST, _BLOCK, _PARALLEL, salt))


def read_hash(text: str) -> Password:
    """Read what :meth:`Password.text` wrote.

    Raises:
        ConfigurationError: it is no such text.
    """
    try:
        kind, cost, block, parallel, salt, key = text.strip().split("$")
        found = Password(int(cost), int(block), int(parallel), bytes.fromhex(salt), bytes.fromhex(key))
        _key("", found.cost, found.block, found.parallel, found.salt)
    except (ValueError, OverflowError, MemoryError) as error:
        raise ConfigurationError(f"{HASH_VARIABLE} is not a password hash.", to_fix=_MAKE_ONE) from error
    if kind != "scrypt" or found.cost < 2**14 or len(found.key) < 32 or len(found.salt) < 8:
        raise ConfigurationError(f"{HASH_VARIABLE} is no hash by scrypt, or a weak one.", to_fix=_MAKE_ONE)
    return found


def _key(password: str, cost: int, block: int, parallel: int, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=block, p=parallel, maxmem=_MOST_MEMORY, dklen=32
    )
