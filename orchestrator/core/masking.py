"""Keep secrets out of what is written down and shown."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TypeVar

T = TypeVar("T")
MASK = "***"
LEAST_OF_A_SECRET = 6  # characters: shorter values are found everywhere
ENVIRONMENT = "DBT_ENV_SECRET_"
_WORDS = r"secret|passw|pwd|token|credential|(?:api|access|account|private)[_-]?key"
_SECRET = re.compile(_WORDS, re.IGNORECASE)
# As much as may be a password: up to the last @ of the line, whatever is in between.
_IN_URL = re.compile(r"(?<=://)(?P<user>[^\s/@:]*):[^\n]*@")
_IN_QUERY = re.compile(r"(?P<name>[?&;\s](?:password|passwd|pwd|sslpassword)=)[^\s&]+", re.IGNORECASE)
_VALUE = r"(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[^\s,;&'\"()\[\]{}]+)"
_NOT_OURS = r"(?<!--set )(?<!variable )"  # "--set vars.api_token: " begins a message of ours, and a value has "="
# api_token=x, "api_token": "x", api_token: x, --api-key x; a bare word and a colon, as in prose, is none of them.
_ASSIGNED = re.compile(
    rf"(?P<name>\b(?:[\w.-]*(?:{_WORDS})[\w-]*(?:=|[\"']\s*[:=]\s*)"
    rf"|(?<![\w.-]){_NOT_OURS}(?=[\w.-]*[_.-])[\w.-]*(?:{_WORDS})[\w-]*:\s+)|--[\w-]*(?:{_WORDS})[\w-]*\s+){_VALUE}",
    re.IGNORECASE,
)
_GROUP = r"\[[^\]\n]*\]|\{[^}\n]*\}"
_known: set[str] = set()
_declared: set[str] = set()


def is_secret(name: str) -> bool:
    """Tell whether what is called so is a secret.

    >>> is_secret("api_token"), is_secret("DBT_ENV_SECRET_X"), is_secret("growth_rate")
    (True, True, False)
    """
    return _SECRET.search(name) is not None or _is_declared(name)


def _is_declared(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _declared


def masked(text: str) -> str:
    """Put ``***`` in the place of every secret in a text: passwords of URLs, what is called like one, known values.

    >>> masked("--set storage.url=postgresql://me:s3cr@t@host/db?x=1&password=abc")
    '--set storage.url=postgresql://me:***@host/db?x=1&password=***'
    >>> masked("--set vars.api_token=abc --set a=1"), masked('{"api_key": "a b", "b": 1}'), masked("bad token: x")
    ('--set vars.api_token=*** --set a=1', '{"api_key": ***, "b": 1}', 'bad token: x')
    >>> masked("--set vars.api_token: nothing reads it"), masked("my_api_token: abc")
    ('--set vars.api_token: nothing reads it', 'my_api_token: ***')
    """
    return _masked(text, _secrets())


@dataclasses.dataclass(frozen=True)
class _Secrets:
    """What is a secret at a moment: values, the longest first, and names."""

    values: tuple[str, ...]
    names: frozenset[str]


def _secrets() -> _Secrets:
    values = sorted(_known | {*_of_environment()}, key=len, reverse=True)
    return _Secrets(tuple(values), frozenset(_declared))


@lru_cache(maxsize=4096)  # events say the same names again and again
def _masked(text: str, secrets: _Secrets) -> str:
    for value in secrets.values:
        text = text.replace(value, MASK)
    text = _IN_QUERY.sub(rf"\g<name>{MASK}", _IN_URL.sub(rf"\g<user>:{MASK}@", text))
    if secrets.names:
        text = _assigned(secrets.names).sub(rf"\g<name>{MASK}", text)
    return _ASSIGNED.sub(rf"\g<name>{MASK}", text) if _SECRET.search(text) else text


@cache
def _assigned(names: frozenset[str]) -> re.Pattern[str]:
    """Return what finds name=x, "name": "x" and name: x of any of the names."""
    words = "|".join(map(re.escape, sorted(names)))
    signs = r"(?:\s*=\s*|[\"']\s*[:=]\s*)"
    spoken = rf"(?<![\w-])(?<!--set vars\.){_NOT_OURS}(?:{words}):\s+"
    return re.compile(rf"(?P<name>(?<![\w-])(?:{words}){signs}|{spoken})(?:{_GROUP}|{_VALUE})", re.IGNORECASE)


def masked_speech(text: str) -> str:
    """Put ``***`` in the place of what is called a secret in a sentence of a person, too.

    >>> masked_speech("set api_key to abc, growth 5 %"), masked_speech("my password is a-b; go")
    ('set api_key to ***, growth 5 %', 'my password is ***; go')
    >>> masked_speech("no token")
    'no token'
    """
    names = "|".join([rf"[\w-]*(?:{_WORDS.replace('[_-]', '[ _-]')})[\w-]*", *map(re.escape, sorted(_declared))])
    spoken = rf"(?P<name>\b(?:{names})\s*(?:\b(?:is|to|as|be|equals)\b|[:=])\s*)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;]+)"
    return re.sub(spoken, rf"\g<name>{MASK}", masked(text), flags=re.IGNORECASE)


def masked_values(value: object) -> object:
    """Mask the secrets in nested mappings and lists: by their keys, and in their texts.

    >>> masked_values({"vars": {"db_password": "x", "rate": 2}})
    {'vars': {'db_password': '***', 'rate': 2}}
    """
    return _masked_values(value, _secrets())


def _masked_values(value: object, secrets: _Secrets) -> object:
    if isinstance(value, Mapping):
        return {key: _masked_item(str(key), item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        known = type(value) in (list, tuple)
        return type(value)(_masked_values(item, secrets) for item in value) if known else value
    return _masked(value, secrets) if isinstance(value, str) else value


def _masked_item(name: str, value: object, secrets: _Secrets) -> object:
    plain = value is None or (isinstance(value, bool) and not _is_declared(name))
    return MASK if is_secret(name) and not plain else _masked_values(value, secrets)


def masked_fields(one: T) -> T:
    """Return a frozen dataclass, such as an event, with the secrets in its texts and mappings masked."""
    assert dataclasses.is_dataclass(one)
    changed, secrets = {}, _secrets()
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if isinstance(value, (str, dict, list, tuple)):
            safe = _masked_values(value, secrets)
            if safe != value:
                changed[field.name] = safe
    return dataclasses.replace(one, **changed) if changed else one  # type: ignore[type-var]  # asserted above


def remember_secrets(values: object) -> None:
    """Keep the values in nested mappings that are called like secrets out of every text from now on."""
    _known.update(_secrets_in(values))


def remember_secret_names(names: Iterable[str]) -> None:
    """Take what is called so for a secret from now on, whatever the name looks like."""
    _declared.update(name.lower() for name in names)


def remember_values(values: Iterable[str]) -> None:
    """Keep values that are secrets, whatever they are called, out of every text from now on."""
    _known.update(value for value in values if len(value) >= LEAST_OF_A_SECRET)


def _secrets_in(values: object) -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            if isinstance(value, str) and is_secret(str(key)) and len(value) >= LEAST_OF_A_SECRET:
                yield value
            else:
                yield from _secrets_in(value)
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _secrets_in(value)


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if name.startswith(ENVIRONMENT) and len(value) >= LEAST_OF_A_SECRET:
            yield value
