"""Read :class:`ProjectFacts` out of dbt's manifest; runs inside the dbt process."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.printed_year import PrintProof
from orchestrator.dbt_runner.project import ColumnFacts, NodeFacts, ProjectFacts, SourceFacts
from orchestrator.dbt_runner.project_files import files_below
from orchestrator.dbt_runner.project_shape import project_shape
from orchestrator.dbt_runner.rendered_with import rendered_with
from orchestrator.dbt_runner.reuse import ReuseProof
from orchestrator.dbt_runner.template_code import ANY_VAR, Code
from orchestrator.exceptions import ConfigurationError, DbtProjectError

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

ENV_VAR = re.compile(r"""env_var\s*\(\s*(?:var\s*=\s*)?['"]([^'"]+)['"]""")
COMPUTED_ENV_VAR = re.compile(r"""env_var\s*\((?!\s*(?:var\s*=\s*)?['"])""")
LONGEST_PATH = 1000
LARGEST_HASHED_BYTES = 1 << 28
SILENT_MACROS = ("materialization_", "generate_", "get_", "default__get_", "duckdb__", "postgres__")
HARMLESS_CONFIG = frozenset(
    {"access", "alias", "database", "docs", "enabled", "group", "meta", "persist_docs", "schema", "tags"}
)
INTERNAL_PACKAGES = ("dbt", "dbt_postgres", "dbt_duckdb")
PACKAGES = ("dbt-core", "dbt-adapters")
_TYPES = ("seed", "model", "snapshot", "test")


def project_facts(
    manifest: Manifest, packed: bytes, config: RuntimeConfig, profiles_dir: Path, year_vars: frozenset[str], cwd: Path
) -> ProjectFacts:
    """Collect the facts of a freshly parsed project; ``packed`` is its manifest as dbt packs it.

    Raises:
        DbtProjectError: a seed file cannot be read.
        ConfigurationError: a ``meta`` that the orchestrator reads has a wrong value.
    """
    project_dir = Path(config.project_root).resolve()
    proof, printing = _proofs(manifest, year_vars)
    adapter = str(config.credentials.type)
    macros = _own_macros(manifest, adapter)
    values = VarValues(config, year_vars, cwd)
    nodes = tuple(
        _node(manifest.nodes[unique_id], project_dir, proof, printing, values, macros)
        for unique_id in _in_order(manifest)
        if str(manifest.nodes[unique_id].resource_type) in _TYPES
    )
    sources = tuple(
        SourceFacts(
            unique_id=source.unique_id,
            name=source.name,
            source_name=source.source_name,
            file=source.original_file_path,
            database=source.database or "",
            schema=source.schema,
            identifier=source.identifier,
            prior_year_of=_text(source.meta.get("prior_year_of"), source.unique_id),
        )
        for source in sorted(manifest.sources.values(), key=lambda source: source.unique_id)
        if source.config.enabled
    )
    return ProjectFacts(
        project_name=str(config.project_name),
        project_dir=project_dir,
        adapter=adapter,
        target=config.target_name,
        profile=config.profile_name,
        database_path=_database_path(config, adapter, cwd),
        nodes=nodes,
        sources=sources,
        reuse_blocker=proof.blocker_in_naming()
        or _blocker_in_disabled(manifest, proof)
        or proof.blocker_in_yaml(_yaml_files(config, project_dir, profiles_dir)),
        versions=tuple(_versions((*PACKAGES, f"dbt-{adapter}", adapter))),
        unasked=_unasked(manifest, proof, values, macros),
        ledger_database=str(config.credentials.database) if adapter == "duckdb" else "",
        shape=project_shape(packed, config, profiles_dir),
    )


def _own_macros(manifest: Manifest, adapter: str) -> dict[str, str]:
    """Return the text of each macro of the project and its packages; those of dbt itself go by their version."""
    internal = {*INTERNAL_PACKAGES, f"dbt_{adapter}"}
    texts: dict[str, list[str]] = {}
    for _, macro in sorted(manifest.macros.items()):
        if macro.package_name not in internal:
            texts.setdefault(macro.name, []).append(macro.macro_sql)
    return {name: "\0".join(found) for name, found in texts.items()}


def _unasked(
    manifest: Manifest, proof: ReuseProof, values: VarValues, macros: dict[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return (what, checksum or value) of what dbt runs by itself: its silent macros, on-run-start and on-run-end."""
    found = [(f"macro {name}", _digest(text)) for name, text in macros.items() if name.startswith(SILENT_MACROS)]
    for node in manifest.nodes.values():
        if str(node.resource_type) == "operation" and node.package_name not in INTERNAL_PACKAGES:
            found += _code_and_inputs(node, node.raw_code, proof.of(node.raw_code), values, macros)
    return tuple(sorted(set(found)))


def _code_and_inputs(
    node: ManifestNode, text: str, code: Code, values: VarValues, macros: dict[str, str]
) -> list[tuple[str, str]]:
    parts = [(f"hook {node.name}", _digest(text))]
    parts += [(f"macro {name}", _digest(macros[name])) for name in sorted(code.macros) if name in macros]
    texts = [text, *(macros[name] for name in code.macros if name in macros)]
    return parts + [(f"var {name}", value) for name, value in values.of(node.package_name, code.vars, texts)]


def _proofs(manifest: Manifest, year_vars: frozenset[str]) -> tuple[ReuseProof, PrintProof]:
    from dbt_common.clients.jinja import get_environment  # dbt is imported by the dbt process alone

    environment = get_environment(None, capture_macros=True)
    texts: dict[str, list[str]] = {}
    for macro in manifest.macros.values():
        texts.setdefault(macro.name, []).append(macro.macro_sql)
    proof = ReuseProof(environment, [(name, text) for name in texts for text in texts[name]], year_vars)
    return proof, PrintProof(environment, texts, lambda name: proof.macro(name).uses_year, year_vars)


def _blocker_in_disabled(manifest: Manifest, proof: ReuseProof) -> str | None:
    """Return which disabled node may be enabled in another year, None when none can."""
    for unique_id in sorted(manifest.disabled):
        for node in manifest.disabled[unique_id]:
            code = getattr(node, "raw_code", "")  # sources and exposures have none
            blocker = proof.of(code).blocker if code and str(node.resource_type) in _TYPES else None
            if blocker is not None:
                return f"{unique_id} is disabled, and {blocker}"
    return None


def _in_order(manifest: Manifest) -> list[str]:
    """Return node ids, parents before children, by name where the graph leaves it open.

    Raises:
        DbtProjectError: nodes read each other in a circle, which dbt itself notices only when it runs them.
    """
    order: dict[str, None] = {}
    above: dict[str, None] = {}

    def visit(unique_id: str) -> None:
        stack = [(unique_id, False)]
        while stack:
            current, parents_done = stack.pop()
            if current in order or current not in manifest.nodes:
                continue
            if parents_done:
                order[current] = None
                del above[current]
                continue
            if current in above:
                raise _circle([*above][[*above].index(current) :], manifest)
            above[current] = None
            stack.append((current, True))
            parents = manifest.nodes[current].depends_on_nodes
            stack.extend((parent, False) for parent in sorted(parents, reverse=True) if parent not in order)

    for unique_id in sorted(manifest.nodes):
        visit(unique_id)
    return list(order)


def _circle(unique_ids: list[str], manifest: Manifest) -> DbtProjectError:
    nodes = [manifest.nodes[unique_id] for unique_id in unique_ids]
    path = " → ".join(node.name for node in [nodes[0], *reversed(nodes[1:]), nodes[0]])
    return DbtProjectError(
        f"The dbt project has models that read each other in a circle: {path} ({nodes[0].original_file_path}).",
        to_fix="take one ref() out of the circle; what a year reads of the year before is a source with "
        "meta.prior_year_of",
    )


def _node(
    node: ManifestNode,
    project_dir: Path,
    proof: ReuseProof,
    printing: PrintProof,
    values: VarValues,
    macros: dict[str, str],
) -> NodeFacts:
    kind = str(node.resource_type)
    header: tuple[str, ...] = ()
    has_rows: bool | None = None
    checksum = node.checksum.checksum
    columns = tuple(ColumnFacts(column.name, column.data_type) for column in node.columns.values())
    if kind == "seed":
        path = Path(node.root_path or project_dir) / node.original_file_path
        if not path.is_absolute():
            path = project_dir / node.original_file_path
        header, has_rows, checksum = _read_seed(path, node.config.delimiter)
        declared = {name: str(data_type) for name, data_type in node.config.column_types.items()}
        columns = tuple(ColumnFacts(name, declared.get(name)) for name in header)
    code = Code()
    prints_year = False
    if kind != "seed":
        if str(node.language) == "python":
            reads = "var" in node.raw_code
            blocker = "a python model that may read vars" if reads else None
            code = Code(uses_year=reads, blocker=blocker, vars={ANY_VAR} if reads else set())
        else:
            text = rendered_with(node) + node.raw_code
            code = proof.of(text)
            prints_year = code.uses_year and printing.holds(text)
    meta = {**node.meta, **node.config.meta}
    reached = [name for name in sorted(proof.implementations(code.macros)) if name in macros]
    return NodeFacts(
        unique_id=node.unique_id,
        name=_full_name(node),
        resource_type=kind,
        fqn=tuple(node.fqn),
        file=node.original_file_path,
        database=node.database or "",
        schema=node.schema,
        identifier=node.alias,
        materialized=str(node.config.materialized),
        tags=tuple(node.tags),
        checksum=checksum,
        columns=columns,
        contract=kind == "model" and node.config.contract.enforced,
        depends_on=tuple(node.depends_on_nodes),
        min_rows=_whole_number(meta.get("min_rows"), node.unique_id),
        summary=meta.get("summary") is True,
        labels=_labels(node),
        has_rows=has_rows,
        appends=node.config.materialized == "incremental" and not node.config.get("unique_key"),
        code=(
            (f"{kind} {_full_name(node)}", _digest(checksum, _deciding_config(node))),
            (f"place of {_full_name(node)}", f"{node.schema}.{node.alias}"),
            *((f"macro {name}", _digest(macros[name])) for name in reached),
        ),
        inputs=values.of(node.package_name, code.vars, [node.raw_code or "", *(macros[name] for name in reached)]),
        uses_year=code.uses_year,
        prints_year=prints_year,
        reuse_blocker=code.blocker,
    )


class VarValues:
    """The value that each variable has for a node, the year left out.

    A value that names an existing file stands for that file: its content belongs to it (of a very large one, its
    size and modification time).
    """

    def __init__(self, config: RuntimeConfig, year_vars: frozenset[str], cwd: Path) -> None:
        self._given: dict[str, object] = dict(config.cli_vars)
        self._defaults: dict[str, object] = config.vars.to_dict()
        self._year_vars = year_vars
        self._cwd = cwd
        self._hashes: dict[Path, str] = {}

    def of(self, package: str, names: set[str], texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return (name, JSON of the value) of the variables that a node reads, by name.

        ``texts`` are its code and that of the macros it reaches: the environment variables that they read come too,
        by a checksum, for they may be secret.
        """
        own = self._defaults.get(package)
        known = {**self._defaults, **(own if isinstance(own, dict) else {}), **self._given}
        chosen = set(known) if ANY_VAR in names else names
        found = [(name, self._text(known.get(name))) for name in sorted(chosen - self._year_vars)]
        read = {name for text in texts for name in ENV_VAR.findall(text)} - {"ORCHESTRATOR_DATABASE"}
        secret = [(f"{name} of the environment", _digest(os.environ.get(name, ""))[:12]) for name in sorted(read)]
        return (*found, *secret)

    def _text(self, value: object) -> str:
        text = json.dumps(value, sort_keys=True, default=str)
        if not isinstance(value, str) or not value or len(value) > LONGEST_PATH:
            return text
        file = self._cwd / value
        if not file.is_file():
            return text
        state = file.stat()
        if state.st_size > LARGEST_HASHED_BYTES:
            return f"{text} ({state.st_size} bytes, modified {state.st_mtime_ns})"
        if file not in self._hashes:
            with file.open("rb") as content:
                self._hashes[file] = hashlib.file_digest(content, "sha256").hexdigest()
        return f"{text} ({state.st_size} bytes, SHA-256 {self._hashes[file][:16]})"


def _full_name(node: ManifestNode) -> str:
    """Return a node's name; that of a versioned model has its version, as in ``dim.v2``."""
    number = getattr(node, "version", None)  # models alone have one
    return node.name if number is None else f"{node.name}.v{number}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _deciding_config(node: ManifestNode) -> str:
    """Return what was configured for a node, as it is written, less what cannot change its rows."""
    chosen = {name: value for name, value in node.unrendered_config.items() if name not in HARMLESS_CONFIG}
    return json.dumps(chosen, sort_keys=True, default=str)


def _labels(node: ManifestNode) -> tuple[tuple[str, str, str], ...]:
    found = []
    for column in node.columns.values():
        meta = {**column.meta, **column.config.meta}
        if "label" in meta:
            found.append((column.name, str(meta["label"]), str(meta.get("format", "integer"))))
    return tuple(found)


def _read_seed(path: Path, delimiter: str) -> tuple[tuple[str, ...], bool, str]:
    """Return a seed's header, whether it has a row, and the SHA-256 of its bytes.

    The header is empty where dbt makes up names of its own: for an empty name, a double one, or an empty first line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            header = tuple(next(reader, []))
            has_rows = any(reader)
        with path.open("rb") as binary:
            checksum = hashlib.file_digest(binary, "sha256").hexdigest()
    except UnicodeDecodeError as error:
        raise DbtProjectError(
            f"Seed file {path} is not UTF-8: byte {error.start} cannot be read.",
            to_fix="save the file as UTF-8",
        ) from error
    except (OSError, csv.Error) as error:
        raise DbtProjectError(
            f"Seed file {path} cannot be read: {error}", to_fix="correct the file, or make it readable for you"
        ) from error
    if "" in header or len({name.lower() for name in header}) < len(header):
        header = ()
    return header, has_rows, checksum


def _database_path(config: RuntimeConfig, adapter: str, cwd: Path) -> Path | None:
    if adapter != "duckdb":
        return None
    path = str(config.credentials.path)
    if path == ":memory:":
        raise ConfigurationError(
            f"Profile {config.profile_name!r} with target {config.target_name!r} keeps its database in memory only: "
            "nothing that is built there outlives the dbt process.",
            to_fix="give the profile's target a path, such as `path: project.duckdb`",
        )
    if "://" in path or path.startswith(("md:", "motherduck:")):
        return None
    return (cwd / path).resolve()


def _yaml_files(config: RuntimeConfig, project_dir: Path, profiles_dir: Path) -> dict[str, str]:
    folders = {*config.model_paths, *config.seed_paths, *config.snapshot_paths, *config.macro_paths}
    folders |= {*config.test_paths, *config.analysis_paths, config.packages_install_path}
    files = [project_dir / "dbt_project.yml", profiles_dir / "profiles.yml"]
    for folder in sorted(folders):
        found = [Path(path) for path in files_below(project_dir / folder)]
        files += sorted(path for path in found if path.suffix in (".yml", ".yaml"))
    return {str(path): path.read_text(encoding="utf-8") for path in files if path.is_file()}


def _versions(packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def _whole_number(value: object, unique_id: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.min_rows is {value!r}; a whole number of rows, 0 or more, is allowed.",
        to_fix="correct it in the YAML file of the dbt project that describes this node",
    )


def _text(value: object, unique_id: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.prior_year_of is {value!r}; the name of a model is allowed.",
        to_fix="correct it in the YAML file of the dbt project that describes this source",
    )


def env_vars_read(manifest: Manifest, config: RuntimeConfig, profiles_dir: Path) -> tuple[str, ...] | None:
    """Return the names of the environment variables that project and profile read; None where one is computed.

    dbt itself knows those alone that it met while it parsed, not those that are read while a node runs.
    """
    names = set(manifest.env_vars)
    internal = {*INTERNAL_PACKAGES, f"dbt_{config.credentials.type}"}
    code = [getattr(node, "raw_code", "") or "" for node in manifest.nodes.values()]
    code += [macro.macro_sql for macro in manifest.macros.values() if macro.package_name not in internal]
    for text in (*code, *_yaml_files(config, Path(config.project_root).resolve(), profiles_dir).values()):
        if COMPUTED_ENV_VAR.search(text):
            return None
        names.update(ENV_VAR.findall(text))
    return tuple(sorted(names))


def files_in_vars(config: RuntimeConfig, cwd: Path) -> tuple[Path, ...]:
    """Return the files that variables name, given ones and defaults: their content decides as much as they do."""
    defaults = config.vars.to_dict()
    own = [values for values in defaults.values() if isinstance(values, dict)]
    every = [value for values in (config.cli_vars, defaults, *own) for value in values.values()]
    texts = {value for value in every if isinstance(value, str) and 0 < len(value) <= LONGEST_PATH}
    return tuple(cwd / text for text in sorted(texts) if (cwd / text).is_file())


def watched_folders(config: RuntimeConfig) -> tuple[str, ...]:
    """Return the project's folders, relative to it, whose files decide what a parse gives."""
    return tuple(
        sorted(
            {
                *config.model_paths,
                *config.seed_paths,
                *config.snapshot_paths,
                *config.macro_paths,
                *config.test_paths,
                *config.analysis_paths,
                *config.function_paths,
                *config.docs_paths,
                config.packages_install_path,
            }
        )
    )
