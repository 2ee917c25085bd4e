"""Read YAML as version 1.2 has it, with the line of every key, and refuse what readers understand differently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from orchestrator.config.errors import problems_error
from orchestrator.config.finding import NAMES, configuration_in, other_ending
from orchestrator.config.origins import KeyPath, Layer, Origin, dotted
from orchestrator.config.yaml_values import KINDS, TooMuch, composed, shown_tag
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import is_encodable
from orchestrator.core.untrusted import read_limited

MOST_BYTES = 1024 * 1024


class _Complaint(NamedTuple):
    """A fault of a key or value of a file, and what to do about it."""

    message: str
    to_fix: str

    def __str__(self) -> str:
        return f"{self.message} {self.to_fix[0].upper()}{self.to_fix[1:]}"


# What YAML 1.1 (and so dbt's own files) reads as a boolean or an octal number, and YAML 1.2 does not.
_AMBIGUOUS_TRUTH = re.compile(r"(?:yes|no|on|off)$", re.IGNORECASE)
_WORDS = frozenset({"execution.replay"})  # keys whose value is one of our own words, off among them
_AMBIGUOUS_OCTAL = re.compile(r"[-+]?0[0-9][0-9_]*$")


def parse_scalar(text: str) -> object:
    """Read the value of an environment variable or of ``--set``, as YAML.

    >>> parse_scalar("2026"), parse_scalar("[a, b]"), parse_scalar("2025-01-01")
    (2026, ['a', 'b'], '2025-01-01')

    Raises:
        ValueError: the text is no YAML, or an ambiguous word such as ``no``.
    """
    try:
        loader, node = composed(text)
        if node is None:
            return None
        for _, _, complaint in _walk(node, ()):
            if complaint:
                raise ValueError(str(complaint))
        value: object = loader.construct_document(node)
        return value
    except TooMuch as error:
        raise ValueError(f"is too large: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"is not valid YAML: {_yaml_reason(error)}") from error


def read_yaml(path: Path, label: str) -> Layer:
    """Read a YAML file whose top is a mapping; ``label`` names the file in errors.

    Raises:
        ConfigurationError: the file is not there, not readable, empty, no YAML, no mapping, or says a key twice.
    """
    text = _read_text(path, label)
    try:
        loader, node = composed(text)
        if node is None:
            raise ConfigurationError(f"{label} is empty.", to_fix=f"write the configuration into {path}.")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigurationError(
                f"{label} holds {_NODE_WORDS.get(type(node), 'a value')}, but must hold keys and values.",
                to_fix="begin each line with a key and a colon, such as 'scenario: baseline'.",
            )
        layer = Layer(origins={(): Origin(label, "file")})
        complaints = []
        for key_path, line, complaint in _walk(node, ()):
            if complaint:
                complaints.append((f"{label}, line {line}: ", complaint))
            layer.origins.setdefault(key_path, Origin(f"{label}, line {line}", "file"))
        if complaints:
            raise _refusal(complaints)
        layer.data = loader.construct_document(node)
        return layer
    except TooMuch as error:
        place = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise ConfigurationError(
            f"{label}{place}: this is not a configuration: {error.problem}.",
            to_fix="keep large data in a seed of the dbt project, and write only settings there",
        ) from error
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = label if mark is None else f"{label}, line {mark.line + 1}"
        raise ConfigurationError(
            f"{where}: this is not valid YAML: {_yaml_reason(error)}",
            to_fix=_yaml_remedy(text, mark.line if mark else None),
        ) from error


def _refusal(complaints: Sequence[tuple[str, _Complaint]]) -> ConfigurationError:
    if len(complaints) == 1:
        ((where, complaint),) = complaints
        return ConfigurationError(f"{where}{complaint.message}", to_fix=complaint.to_fix)
    return problems_error([f"{where}{complaint}" for where, complaint in complaints])


_NODE_WORDS = {yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}


def _read_text(path: Path, label: str) -> str:
    try:
        return read_limited(path, MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError as error:
        near = other_ending(path)
        raise ConfigurationError(
            f"The configuration file {path} does not exist.",
            to_fix="name another file (on the command line with --config PATH)." if near is None else f"name {near}",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{label} is not UTF-8 text (byte {error.start}).", to_fix="save the file as UTF-8."
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{label} is not a configuration: {error}.",
            to_fix="keep large data in a seed of the dbt project, and write only settings there",
        ) from error
    except OSError as error:
        if path.is_dir():
            inside = configuration_in(path)
            raise ConfigurationError(
                f"{path} is a folder, and the configuration is a file.",
                to_fix=f"name the file in it: {inside}"
                if inside is not None
                else f"name a configuration file, such as {path / NAMES[1]}; `orchestrator new` writes one",
            ) from error
        way = "make it readable for you" if path.is_file() else "put a file in its place"
        raise ConfigurationError(
            f"{label} cannot be read: {error.strerror or error}.",
            to_fix=f"{way}, or name another file (on the command line with --config PATH).",
        ) from error


def _yaml_reason(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        parts = [part for part in (error.context, error.problem) if part]
        return "; ".join(parts) + "."
    return " ".join(str(error).split()) + "."


def _yaml_remedy(text: str, line: int | None) -> str:
    lines = text.splitlines()
    if line is not None and line < len(lines) and "\t" in lines[line]:
        return "YAML is indented with spaces: replace the tabs on that line."
    return "correct that line, or the one before it; a value with ': ' or '#' in it needs quotes."


def _walk(
    node: yaml.Node,
    path: KeyPath,
    above: frozenset[int] = frozenset(),
    seen: set[int] | None = None,
) -> Iterator[tuple[KeyPath, int, _Complaint | None]]:
    """Yield each key's path, its line (from 1) and what is wrong with it; aliased nodes once."""
    seen = set() if seen is None else seen
    line = node.start_mark.line + 1
    if id(node) in above:
        yield path, line, _Complaint(f"{dotted(path)} contains itself through a YAML alias.", "write it out.")
        return
    if id(node) in seen:
        return
    seen.add(id(node))
    above = above | {id(node)}
    if node.tag not in KINDS:
        name, tag = dotted(path) or "the value", shown_tag(node.tag)
        yield (
            path,
            line,
            _Complaint(
                f"{name} has the tag {tag}, which is not known here.", "write it without the tag, or as text in quotes."
            ),
        )
    if isinstance(node, yaml.ScalarNode):
        yield path, line, _ambiguity(node, dotted(path))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item.start_mark.line + 1, None
            yield from _walk(item, (*path, index), above, seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            key_line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                yield from _walk(value, path, above, seen)
                continue
            here = (*path, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            complaint = _key_complaint(key, dotted(here), lines)
            yield here, key_line, complaint
            lines.setdefault(str(key.value), key_line)
            yield from _walk(value, here, above, seen)


def _key_complaint(key: yaml.Node, name: str, lines: Mapping[str, int]) -> _Complaint | None:
    if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
        return _Complaint(f"the key {name} is not a string.", "put it in quotes.")
    if key.value in lines:
        first = f"first on line {lines[key.value]}"
        return _Complaint(f"{name} appears twice in this file, {first}.", "remove one of them.")
    return _ambiguity(key, f"the key {name}")


def _ambiguity(node: yaml.ScalarNode, name: str) -> _Complaint | None:
    if "\0" in node.value:
        return _Complaint(f"{name or 'the value'} holds a NUL character.", "remove it.")
    if not is_encodable(node.value):
        half = "half of a character (a surrogate), which no UTF-8 text can hold"
        return _Complaint(f"{name or 'the value'} holds {half}.", "write the whole character.")
    subject = f"{name} is" if name else "the value is"
    if node.style or node.tag != "tag:yaml.org,2002:str":
        octal = not node.style and _AMBIGUOUS_OCTAL.match(str(node.value))
        if octal and node.tag == "tag:yaml.org,2002:float":
            return _Complaint(
                f"{subject} {node.value}, which some YAML parsers read as octal.",
                "write it without the leading zero, or in quotes.",
            )
        return None
    if _AMBIGUOUS_TRUTH.match(node.value) and name not in _WORDS:
        truth = "true" if node.value.lower() in {"yes", "on"} else "false"
        return _Complaint(
            f"{subject} {node.value}, which some YAML parsers read as a string and others as {truth}.",
            f"write {truth}, or '{node.value}' in quotes.",
        )
    return None
