"""What of the profile decides rows: the target where it is read, and the settings of the database everywhere."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.input_kinds import FLAG, PROFILE, TARGET
from orchestrator.dbt_runner.project.shown_values import shown

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

Pairs = tuple[tuple[str, str], ...]
PLAIN_PARTS = frozenset({"name", "target_name", "profile_name", "schema", "database", "dbname", "type", "threads"})
PLACES = frozenset({"path", "host", "port"})
NOT_FOR_ROWS = frozenset(
    [
        "path",
        "database",
        "schema",
        "dbname",
        "host",
        "hostname",
        "port",
        "user",
        "username",
        "pass",
        "password",
        "private_key",
        "private_key_passphrase",
        "token",
        "sslmode",
        "sslcert",
        "sslkey",
        "sslrootcert",
        "sslpassword",
        "keepalives_idle",
        "connect_timeout",
        "retries",
        "keep_open",
        "method",
        "threads",
        "motherduck_token",
        "query_comment",
        "secrets",
        "use_credential_provider",
        "retain_connection",
    ]
)
"""Fields of a profile that say where a database is, who asks and how, or stand in the names of relations."""
HARMLESS_SETTINGS = frozenset(
    [
        "threads",
        "worker_threads",
        "external_threads",
        "memory_limit",
        "max_memory",
        "temp_directory",
        "max_temp_directory_size",
        "enable_progress_bar",
        "enable_object_cache",
        "extension_directory",
        "custom_user_agent",
    ]
)
HARMLESS_FLAGS = frozenset(
    [
        "send_anonymous_usage_stats",
        "use_colors",
        "use_colors_file",
        "printer_width",
        "partial_parse",
        "partial_parse_file_diff",
        "log_format",
        "log_format_file",
        "log_level",
        "log_level_file",
        "log_path",
        "log_cache_events",
        "target_path",
        "write_json",
        "fail_fast",
        "version_check",
        "static_parser",
        "use_experimental_parser",
        "warn_error",
        "warn_error_options",
        "debug",
        "quiet",
        "introspect",
        "print",
        "indirect_selection",
        "use_fast_test_edges",
        "require_resource_names_without_spaces",
        "source_freshness_run_project_hooks",
    ]
)
"""Flags of logs and files, of what ends with an error, and of a parse: what that finds is compared itself."""
USUAL_FLAGS: dict[str, object] = {
    "cache_selected_only": False,
    "populate_cache": True,
    "require_explicit_package_overrides_for_builtin_materializations": True,
    "skip_nodes_if_on_run_start_fails": False,
}
"""Flags that may decide rows, and what dbt takes where they are not set: written out, this is no change.

The cache is what ``adapter.get_relation`` looks into: a relation that dbt did not make is found without it.
"""


def target_inputs(config: RuntimeConfig, parts: set[str] | None) -> Pairs:
    """Return these parts of dbt's ``target``, all of them for None; a path below the project as seen from there."""
    root = Path(config.project_root).resolve()
    known = config.to_target_dict()
    chosen = sorted(known if parts is None else parts)
    found = []
    for part in chosen:
        if parts is None and part in PLACES | {"target_name"}:
            continue  # where the database stands, by no name: it may be moved
        value = _below(known.get(part), root) if part == "path" else known.get(part)
        found.append((f"{TARGET} {part}", shown(part, value, open_=part in PLAIN_PARTS)))
    return tuple(found)


def profile_inputs(config: RuntimeConfig) -> Pairs:
    """Return the settings of the database, and whatever else of the profile may decide what a statement gives."""
    credentials = config.credentials
    found: dict[str, object] = {}
    usual = {one.name: one.default for one in fields(credentials)}
    for name, value in credentials.to_dict(omit_none=True).items():
        if name in ("settings", "config_options") and isinstance(value, dict):
            found |= {str(key): one for key, one in value.items() if str(key) not in HARMLESS_SETTINGS}
        elif name not in NOT_FOR_ROWS and value not in (usual.get(name), None, [], {}, ""):
            found[name] = value
    return tuple((f"{PROFILE} {name}", shown(name, value)) for name, value in sorted(found.items()))


def flag_inputs(config: RuntimeConfig) -> Pairs:
    """Return the flags of ``dbt_project.yml``, or of ``profiles.yml``, that may change what dbt makes of a project."""
    project_flags = dict(config.flags) or _flags_of_profile()
    chosen = {
        name: value
        for name, value in project_flags.items()
        if name not in HARMLESS_FLAGS and not (name in USUAL_FLAGS and value in (None, USUAL_FLAGS[name]))
    }
    return tuple((f"{FLAG} {name}", canonical(value)) for name, value in sorted(chosen.items()))


def _flags_of_profile() -> dict[str, object]:
    """Return what stands under ``config:`` in profiles.yml, where dbt looks if the project has no flags."""
    from dbt.config.profile import read_profile  # dbt's, which is slow to import
    from dbt.flags import get_flags

    found = read_profile(str(get_flags().PROFILES_DIR)).get("config")
    return dict(found) if isinstance(found, dict) else {}


def _below(value: object, root: Path) -> object:
    try:
        return str(Path(str(value)).resolve().relative_to(root))
    except ValueError:
        return value
