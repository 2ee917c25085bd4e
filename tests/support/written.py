"""Small dbt projects that a test writes file by file."""

from __future__ import annotations

from pathlib import Path

from tests.support.workspaces import Workspace

PROJECT = "{name: mill, version: '1.0', profile: mill, flags: {send_anonymous_usage_stats: false}}\n"
PROFILE = (
    "mill: {target: dev, outputs: {dev: {type: duckdb, path: \"{{ env_var('ORCHESTRATOR_DATABASE', 'var/mill.duckdb')"
    ' }}"}}}\n'
)


class Written(Workspace):
    """A project called ``mill`` whose files are written by hand; ``var/mill.duckdb`` is its database."""

    def __init__(self, root: Path, config: str, files: dict[str, str]) -> None:
        super().__init__(root)
        root.joinpath("var").mkdir(parents=True, exist_ok=True)
        for name, text in {"dbt_project.yml": PROJECT, "profiles.yml": PROFILE, **files}.items():
            self.write(name, text)
        self.write("orchestrator.yaml", f"database: var/mill.duckdb\ndbt: {{project_dir: .}}\n{config}")

    @property
    def database(self) -> Path:
        """Return the database file."""
        return self.root / "var" / "mill.duckdb"

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(self, before: str, after: str) -> None:
        """Change a piece of the configuration."""
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))
