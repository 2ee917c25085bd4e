"""What stands between backticks in a message, set in the type of code where that is shown as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

BETWEEN_BACKTICKS = re.compile("`([^`\n]+)`")


def with_code(text: str) -> Markup:
    """Return a text as HTML: all of it escaped, with ``code`` elements in place of backticks.

    >>> with_code("run `check <name>` & look")
    Markup('run <code>check &lt;name&gt;</code> &amp; look')
    """
    return Markup(BETWEEN_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just now
