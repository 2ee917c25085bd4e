"""Which files decide what a parse gives."""

from __future__ import annotations

from pathlib import Path

from orchestrator.dbt_runner.project.files import files_below


def test_links_are_followed_once(tmp_path: Path) -> None:
    """A link out of the folder is followed; one that leads back, or in a circle, ends nothing; .git is left out."""
    project, package = tmp_path / "project", tmp_path / "package"
    for folder in (project / "packages", project / ".git", package / "models"):
        folder.mkdir(parents=True)
    for file in (project / "own.sql", project / ".git" / "config", package / "models" / "theirs.sql"):
        file.write_text("select 1")
    (project / "packages" / "link").symlink_to(package)
    (package / "models" / "back").symlink_to(project)
    found = [str(Path(path).relative_to(tmp_path)) for path in files_below(project)]
    assert sorted(found) == ["project/own.sql", "project/packages/link/models/theirs.sql"]
    assert list(files_below(tmp_path / "nowhere")) == []


def test_hidden_folders(tmp_path: Path) -> None:
    """Dbt parses what is in them; what else an editor keeps there is no part of the project."""
    place = tmp_path / "models" / ".draft" / "deep"
    place.mkdir(parents=True)
    for name in ("a.sql", "a.YML", "state.json"):
        (place / name).write_text("")
    (tmp_path / "models" / ".hidden.sql").write_text("")
    found = sorted(Path(path).name for path in files_below(tmp_path / "models"))
    assert found == [".hidden.sql", "a.YML", "a.sql"]
    assert list(files_below(place)) != []
