"""Keep passwords out of what is written down."""

from __future__ import annotations

import re

MASK = "***"
# As much as may be a password: up to the last @ of the line, whatever is in between.
_IN_URL = re.compile(r"(?<=://)(?P<user>[^\s/@:]*):[^\n]*@")
_IN_QUERY = re.compile(r"(?P<name>[?&;\s](?:password|passwd|pwd|sslpassword)=)[^\s&]+", re.IGNORECASE)


def masked(text: str) -> str:
    """Put ``***`` in the place of every password of a database URL in a text.

    >>> masked("--set storage.url=postgresql://me:s3cr@t@host/db?x=1&password=abc")
    '--set storage.url=postgresql://me:***@host/db?x=1&password=***'
    """
    return _IN_QUERY.sub(rf"\g<name>{MASK}", _IN_URL.sub(rf"\g<user>:{MASK}@", text))
