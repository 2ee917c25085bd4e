"""What stands beside the conversation, as HTML. Everything that anybody said is escaped here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.masking import masked
from orchestrator.ui.assistants.overlay import CheckedProposal, scenario_yaml

HEADING = """<div class="chat-head"><h1>Describe what to simulate</h1>
<p>Say it in your own words. You see what would change, and check it, before anything is saved or run.</p></div>"""
KEY = "chat"  # of its own page in the bar
UNSEEN = "\u2060"  # a word joiner
NOTHING = """<section class="proposal" aria-label="Proposal"><h2>Scenario</h2>
<p class="quiet">Nothing is proposed yet. Once you have said what you want, each change is listed here with the value
before and after it.</p></section>"""


def proposal_html(checked: CheckedProposal | None) -> str:
    """Return the panel of a proposal."""
    if checked is None:
        return NOTHING
    parts = ['<section class="proposal" aria-label="Proposal"><h2>Scenario']
    parts.append(f" <em>{_text(checked.name)}</em></h2>" if checked.name else "</h2>")
    parts.append(_changes(checked))
    parts.append(_list("To be corrected", "errors", checked.errors))
    parts.append(_list("Questions", "questions", checked.questions))
    parts.append(_list("Not understood", "misunderstood", checked.not_understood))
    if checked.changes and not checked.errors:
        parts.append(
            '<details class="yaml"><summary>The scenario file (YAML)</summary>'
            f'<pre tabindex="0">{_text(scenario_yaml(checked))}</pre></details>'
        )
    return "".join([*parts, "</section>"])


def _changes(checked: CheckedProposal) -> str:
    if not checked.changes:
        return '<p class="quiet">No value is changed.</p>'
    rows = "".join(
        f'<tr><th scope="row"><code>{_key(one.key)}</code></th><td class="before">{_value(one.before)}</td>'
        f'<td class="after">{_value(one.after)}</td><td class="words">{_text(one.words)}</td></tr>'
        for one in checked.changes
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Key", "Before", "After", "Your words"))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Changes"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _list(heading: str, kind: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    entries = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f'<div class="{kind}"><h3>{heading}</h3><ul>{entries}</ul></div>'


def status_html(text: str, *, bad: bool = False) -> str:
    """Return a line that says how something ended."""
    return f'<p class="{"bad" if bad else "good"}">{_text(text)}</p>' if text else ""


def error_html(error: OrchestratorError | OSError) -> str:
    """Return an error, with what to do."""
    if isinstance(error, OrchestratorError):
        fix = f" <b>To fix:</b> {_text(masked(error.to_fix))}" if error.to_fix else ""
        return f'<p class="bad">{_text(masked(error.message))}{fix}</p>'
    return f'<p class="bad">{_text(f"{error.strerror}: {error.filename}")}</p>'


def link_html(words: str, href: str, more: str) -> str:
    """Return a line with a link to a page of this server; any other place stays text."""
    if not href.startswith("/") or href.startswith("//") or any(sign in href for sign in "\\\n\r"):
        return status_html(f"{words} {more}")
    return f'<p class="good">{_text(words)} <a href="{escape(href, quote=True)}">{_text(more)}</a></p>'


def bar_html(pages: Sequence[tuple[str, str, str]]) -> str:
    """Return the bar that leads to other pages, each with key, name and address; empty where there are none."""
    links = "".join(
        f'<a href="{escape(address, quote=True)}"{" aria-current=page" if key == KEY else ""}>{_text(name)}</a>'
        for key, name, address in pages
    )
    brand = '<a class="brand" href="/">orchestrator</a>'
    return f'<header class="top">{brand}<nav aria-label="Pages">{links}</nav></header>' if pages else ""


def sessions_html(session_id: str, recent: Sequence[tuple[str, str]]) -> str:
    """Return the links of conversations: a new one, this one, and earlier ones of this browser."""
    parts = ['<nav class="sessions" aria-label="Conversations">']
    parts.append('<a href="?session=new">New conversation</a>')
    if session_id:
        parts.append(f'<a href="?session={_text(session_id)}">Link to this conversation</a>')
    others = [(one, title) for one, title in recent if one != session_id]
    if others:
        links = "".join(f'<li><a href="?session={_text(one)}">{_text(title)}</a></li>' for one, title in others)
        parts.append(f"<details><summary>Earlier ones in this browser</summary><ul>{links}</ul></details>")
    return "".join([*parts, "</nav>"])


def file_name(checked: CheckedProposal) -> tuple[str, str]:
    """Return the name and the text of the scenario file of a proposal.

    Raises:
        ConfigurationError: it does not fit, or there is nothing in it.
    """
    if not checked.changes and not checked.errors:
        raise ConfigurationError("Nothing is proposed yet.", to_fix="say what to simulate")
    return f"{checked.name or 'scenario'}.yaml", scenario_yaml(checked)


def plain(text: str) -> str:
    r"""Return a message so that nothing in it is markup, and it looks the same: an unseen sign parts what would be one.

    The part of Gradio that shows messages reads them as HTML, and leaves out what it finds dangerous.

    >>> ascii(plain("a < b <script> R&D &lt;"))
    "'a <\\u2060 b <\\u2060script> R&\\u2060D &\\u2060lt;'"
    """
    return text.replace("<", f"<{UNSEEN}").replace("&", f"&{UNSEEN}")


def _key(key: str) -> str:
    return _text(key.removeprefix("vars.")).replace("_", "_<wbr>").replace(".", ".<wbr>")


def _value(value: object) -> str:
    if value is None:
        return '<span class="quiet">–</span>'
    return _text(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str))


def _text(text: object) -> str:
    return escape(str(text), quote=True)
