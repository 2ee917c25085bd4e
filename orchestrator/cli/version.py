"""``orchestrator version``: what is installed."""

from __future__ import annotations

from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.versions import adapter_versions, installed_versions

DISTRIBUTION = "dbt-year-orchestrator"
NOT_INSTALLED = "not installed as a package"
SHOWN = ("python", "dbt-core", "duckdb")


def version(_options: CommonOptions, output: Output) -> int:
    """Show the versions of this program, Python, dbt, its adapters and DuckDB."""
    found = installed_versions()
    others = {name: found.get(name) for name in SHOWN}
    adapters = adapter_versions()
    output.write_json({"orchestrator": found.get(DISTRIBUTION), **others, "adapters": adapters}, "listed")
    lines = {"orchestrator": found.get(DISTRIBUTION), **others, **adapters}
    for name, number in lines.items():
        output.say(f"{name:<{max(map(len, lines))}}  {number or NOT_INSTALLED}")
    return 0
