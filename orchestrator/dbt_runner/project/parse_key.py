"""The key under which a parse is kept: what was parsed, and where it stands."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from orchestrator.database.file_names import database_in
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.settings import DbtSettings, Vars
from orchestrator.dbt_runner.project.var_templates import is_template

DIGITS = 16
TEMPLATE = "template "


@dataclass(frozen=True)
class ProjectIdentity:
    """Identity of a parse: all that decides it, wherever project and database are.

    ``variables`` are those of the parse as JSON. ``database_name`` is the name that the database has in SQL, None where
    the profile alone decides it. The project's files decide as well; they are compared by their content.
    """

    profile: str | None
    target: str | None
    threads: int | None
    variables: str
    year_vars: tuple[str, ...]
    database_name: str | None
    ledger_schema: str
    foundation: tuple[str, ...]


@dataclass(frozen=True)
class ProjectPlace:
    """Place of a project on this machine: the paths that a parse of it holds, all absolute."""

    project_dir: Path
    profiles_dir: Path
    cwd: Path
    database: Path | None


@dataclass(frozen=True)
class ParseKey:
    """Identity and place of a parse; only where both are the same is it the same parse."""

    identity: ProjectIdentity
    place: ProjectPlace

    @classmethod
    def of(cls, settings: DbtSettings) -> ParseKey:
        """Return the key of a parse with these settings."""
        database = settings.database
        return cls(
            ProjectIdentity(
                profile=settings.profile,
                target=settings.target,
                threads=settings.threads,
                variables=canonical(settings.vars),
                year_vars=tuple(sorted(settings.year_vars)),
                database_name=None if database is None else database_in(database),
                ledger_schema=settings.ledger_schema,
                foundation=settings.foundation,
            ),
            ProjectPlace(
                project_dir=settings.project_dir,
                profiles_dir=settings.effective_profiles_dir(),
                cwd=settings.cwd,
                database=database,
            ),
        )

    def family(self) -> ParseKey:
        """Return the key of what serves the project whatever its vars, threads and foundation are, on any database."""
        identity = replace(self.identity, threads=None, variables=canonical({}), foundation=())
        return ParseKey(identity, replace(self.place, database=None))

    @property
    def name(self) -> str:
        """Return the key as part of a file's name: a hash of each of its two parts."""
        return f"{_digest(self.identity)}-{_digest(self.place)}"

    def record(self) -> dict[str, object]:
        """Return the key for JSON: the place as it is, the identity by its hash, for variables may be secret."""
        place = {name: None if path is None else str(path) for name, path in vars(self.place).items()}
        return {"identity": _digest(self.identity), "place": place, "family": self.family().name}


def digests_of(variables: Vars) -> dict[str, str]:
    """Return a hash of the value of each variable, which may be secret, by name; it tells a template from a value."""
    return {name: _kind(value) + _hash(canonical(value, ordered=True)) for name, value in variables.items()}


def _kind(value: object) -> str:
    return TEMPLATE if is_template(value) else ""


def _digest(part: ProjectIdentity | ProjectPlace) -> str:
    return _hash(canonical(astuple(part)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
