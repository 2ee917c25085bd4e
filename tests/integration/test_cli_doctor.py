"""``orchestrator doctor``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_project import Cli, Told
from tests.support.workspaces import PROJECTS

pytestmark = pytest.mark.slow

CHECKS = [
    *("versions", "profile", "parse", "registry", "inputs", "database", "locks"),
    *("scan", "ledger", "tables", "leftovers", "history", "disk"),
]


@pytest.fixture
def broken(lakes: Cli, tmp_path: Path) -> Cli:
    """Give a copy of the healed project of its own, to break."""
    root = tmp_path / "lakes"
    shutil.copytree(lakes.root, root)
    return Cli(root, root / "var" / "reservoir.duckdb")


def diagnoses(told: Told, status: str) -> dict[str, dict[str, str]]:
    """Return what the document says with this status, by check."""
    checks = told.document()["checks"]
    assert isinstance(checks, list)
    return {check["check"]: check for check in checks if check["status"] == status}


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that is in a file."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_healthy_workspace(lakes: Cli) -> None:
    """One line a check, exit 0; the parent imports no dbt."""
    told = lakes("doctor", python=["-X", "importtime"])
    assert told.exit_code == 0, told.out
    lines = told.out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["✓", check] for check in CHECKS]
    assert lines[-1] == "All is well."
    assert "dbt-core 1.11" in lines[0] and "var/reservoir.duckdb" in lines[5]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert not imported & {"dbt", "dbt_common", "sqlalchemy"}


def test_the_document(lakes: Cli) -> None:
    """Every check is in it with the same five keys, and nothing else is said."""
    told = lakes("doctor", "--json")
    assert (told.exit_code, told.err) == (0, "")
    document = told.document()
    assert (
        document.keys() == {"ok", "status", "healthy", "fixed", "not_fixed", "checks"} and document["healthy"] is True
    )
    checks = document["checks"]
    assert isinstance(checks, list)
    assert [check["check"] for check in checks] == CHECKS
    assert all(check.keys() == {"check", "status", "subject", "detail", "remedy"} for check in checks)
    assert {check["status"] for check in checks} == {"ok"}


def test_one_remedy_for_many(lakes: Cli) -> None:
    """What the same command mends is listed table by table, and the command named once, below."""
    lakes.sql("drop table rain", "drop table lakes")
    told = lakes("doctor")
    lines = told.out.splitlines()
    first = lines.index("✗ tables     seed lakes: missing: does not exist")
    assert lines[first + 1] == "✗            seed rain: missing: does not exist"
    assert lines[first + 2].startswith("             To fix: run `orchestrator init`")
    assert told.out.count("To fix: run `orchestrator init`") == 1


def test_a_problem_is_told_with_its_remedy(lakes: Cli) -> None:
    """On its own lines below the check, exit 3; with -q the exit code alone."""
    lakes.sql("drop table rain", "create table lake_level__dbt_tmp as select 1 as n")
    told = lakes("doctor")
    assert told.exit_code == 3
    assert "✗ tables     seed rain: missing: does not exist\n             To fix: run `orchestrator init`" in told.out
    assert 'To fix: drop table "main"."lake_level__dbt_tmp"' in told.out
    assert told.out.endswith("2 problems were found.\n")
    assert lakes("doctor", "-q") == Told(3, "", "")


def test_remedies_act_on_what_was_examined(lakes: Cli, tmp_path: Path) -> None:
    """Commands in them carry the options that doctor was given; a configuration of the environment is left to it."""
    junk = tmp_path / "t.duckdb"
    junk.write_bytes(b"not a database" * 999)
    options = ("--set", "vars.note=1 2", "--database", str(junk))
    told = lakes("doctor", *options, env={"ORCHESTRATOR_CONFIG": "config/simulation.yaml"})
    assert told.exit_code == 3
    assert f"`orchestrator init --recreate --set 'vars.note=1 2' --database {junk}`" in told.out
    told = lakes("doctor", "--json", *options, "--config", "config/simulation.yaml")
    remedy = diagnoses(told, "problem")["scan"]["remedy"]
    assert f"--recreate --config config/simulation.yaml --set 'vars.note=1 2' --database {junk}`" in remedy


def test_a_history_that_cannot_be_read(lakes: Cli) -> None:
    """It is a problem, and what the remedy says helps; a simulation meanwhile names no run that is not in it."""
    history = lakes.root / "var" / "orchestrator.db"
    history.write_bytes(b"junk\n" * 100)
    told = lakes("doctor", "--json")
    assert told.exit_code == 3
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"history"}
    assert f"The run history {history} is not a SQLite database" in problems["history"]["detail"]
    assert "`orchestrator runs import`" in problems["history"]["remedy"]
    assert history.read_bytes() == b"junk\n" * 100
    done = lakes("simulate", "2000", "--config", "config/simulation.yaml")
    assert done.exit_code == 0 and "orchestrator runs show" not in done.out
    assert done.err.startswith("warning: This run is missing")
    assert "`orchestrator runs import --config config/simulation.yaml`" in done.err
    refused = lakes("backup", "create")
    assert refused.exit_code == 1 and "move it away, with its -wal, and `orchestrator runs import`" in refused.err
    history.rename(history.with_name("junk.db"))
    assert lakes("runs", "import").exit_code == 0
    healed = lakes("doctor", python=["-X", "importtime"])
    assert healed.exit_code == 0 and "✓ history    var/orchestrator.db, " in healed.out
    assert "sqlalchemy" not in healed.err


def test_a_configuration_that_does_not_load_is_an_error(lakes: Cli) -> None:
    """There is nothing to examine then: exit 2."""
    told = lakes("doctor", "--set", "simulation.end_yaer=2003", "--json")
    assert told.exit_code == 2 and "end_year" in told.error()["message"]


def test_a_selector_that_matches_nothing(lakes: Cli) -> None:
    """It is told with the line of the configuration; exit 3."""
    told = lakes("doctor", "--json", "--set", "stages=[{name: flows, select: 'tag:FLOES'}]")
    assert told.exit_code == 3
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"registry"} and problems["registry"]["subject"] == "stage flows"
    assert "--set" in problems["registry"]["remedy"]


def test_a_model_that_does_not_parse(broken: Cli) -> None:
    """dbt's words name the file; the database is examined all the same."""
    (broken.root / "dbt" / "models" / "yearly" / "inflow.sql").write_text("select {{ ref('nowhere') }}")
    broken.sql("create table x__dbt_tmp as select 1 as n")
    told = broken("doctor", "--json")
    assert told.exit_code == 3
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"parse", "leftovers"}
    assert "inflow" in problems["parse"]["detail"] and problems["parse"]["remedy"]
    assert diagnoses(told, "note").keys() == {"registry", "inputs", "tables"}
    assert diagnoses(told, "ok")["scan"]["detail"].startswith("read every column of 13 tables")


@pytest.mark.parametrize(
    ("old", "new", "subject", "words"),
    [
        ("reservoir:\n", "lake:\n", "profile reservoir", "it has lake"),
        ("target: dev", "target: prod", "target prod", "it has dev"),
        ("type: duckdb", "type: oracle", "type oracle", "dbt-oracle is not installed"),
        ("reservoir:\n", "reservoir: [\n", None, "cannot be read"),
    ],
)
def test_a_wrong_profile(broken: Cli, old: str, new: str, subject: str | None, words: str) -> None:
    """What is wrong and what there is instead; the parse that needs it is not blamed."""
    profile = broken.root / "dbt" / "profiles.yml"
    edit(profile, old, new)
    told = broken("doctor", "--json")
    assert told.exit_code == 3
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"profile"}
    assert problems["profile"]["subject"] == (subject or str(profile))
    assert words in problems["profile"]["detail"] and problems["profile"]["remedy"]


def test_no_profile_at_all(broken: Cli, tmp_path: Path) -> None:
    """The file that is missing is named."""
    (broken.root / "dbt" / "profiles.yml").unlink()
    told = broken("doctor", "--json", env={"HOME": str(tmp_path)})
    assert told.exit_code == 3
    profile = diagnoses(told, "problem")["profile"]
    assert profile["subject"] == str(tmp_path / ".dbt" / "profiles.yml") and profile["detail"] == "does not exist"
    assert "dbt.profiles_dir" in profile["remedy"]


def test_a_profile_that_uses_another_database(broken: Cli) -> None:
    """Both are named, and the configured one is scanned; the selectors are asked all the same."""
    edit(broken.root / "dbt" / "profiles.yml", "\"{{ env_var('ORCHESTRATOR_DATABASE', 'reservoir.duckdb') }}\"", "x.db")
    told = broken("doctor", "--json")
    assert told.exit_code == 3
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"database"}
    assert "x.db" in problems["database"]["detail"] and "ORCHESTRATOR_DATABASE" in problems["database"]["remedy"]
    assert {"registry", "scan", "ledger"} <= diagnoses(told, "ok").keys()
    assert not (broken.root / "x.db").exists()


def test_another_version_of_dbt(lakes: Cli, tmp_path: Path) -> None:
    """A dbt-core that this program is not made for is named with what to install."""
    for package, number in (("dbt_core", "1.12.3"), ("dbt_duckdb", "1.9.1")):
        record = tmp_path / f"{package}-{number}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: {number}\n"
        )
    told = lakes("doctor", env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECTS.parents[1])])})
    assert told.exit_code == 3
    assert "✗ versions   dbt-core: is 1.12.3\n             To fix: pip install 'dbt-core>=1.11,<1.12'" in told.out
    assert "dbt-duckdb: is 1.9.1" in told.out and told.out.endswith("2 problems were found.\n")


def test_the_folder_of_a_killed_dbt_process_is_gone_when_dbt_has_started(lakes: Cli) -> None:
    """dbt's start removes it; that it was there is a note."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = lakes.root / "var" / "dbt" / f"target-{gone.pid}"
    folder.mkdir()
    told = lakes("doctor", "--json")
    assert told.exit_code == 0 and not folder.exists()
    assert diagnoses(told, "note")["leftovers"]["subject"] == str(folder)


def test_a_project_that_is_no_simulation(tmp_path: Path) -> None:
    """A configuration that holds only ``dbt: {project_dir: .}`` is examined just so."""
    root = tmp_path / "plain"
    shutil.copytree(PROJECTS / "plain", root)
    cli = Cli(root, root / "shop.duckdb")
    told = cli("doctor", "--config", "orchestrator.yaml", "--json")
    assert told.exit_code == 3
    assert diagnoses(told, "problem").keys() == {"database"}
    assert diagnoses(told, "problem")["database"]["remedy"] == "run `orchestrator init --config orchestrator.yaml`"
    assert cli("init", "--config", "orchestrator.yaml").exit_code == 0
    healed = cli("doctor", "--config", "orchestrator.yaml", "--json")
    assert healed.exit_code == 0, healed.out
    edit(root / "profiles.yml", "shop.duckdb", "':memory:'")
    told = cli("doctor", "--config", "orchestrator.yaml", "--json")
    assert told.exit_code == 3
    assert diagnoses(told, "problem").keys() == {"parse"}


def test_everything_broken_at_once(broken: Cli) -> None:
    """No fault hides another."""
    (broken.root / "dbt" / "models" / "yearly" / "inflow.sql").write_text("select {{ nonsense( }}")
    broken.database.write_bytes(b"not a database" * 999)
    Path(f"{broken.database}.lock.json").write_text("{}")
    Path(f"{broken.database}.wal").write_bytes(b"")
    (broken.root / "var" / "dbt" / "target-999999999").mkdir()
    told = broken("doctor", "--json")
    assert told.exit_code == 3
    assert json.loads(told.out)["healthy"] is False
    problems = diagnoses(told, "problem")
    assert problems.keys() == {"parse", "locks", "scan"}
    assert all(problem["remedy"] for problem in problems.values())
    checks = told.document()["checks"]
    assert isinstance(checks, list)
    assert list(dict.fromkeys(check["check"] for check in checks)) == CHECKS
    spoken = broken("doctor")
    assert spoken.exit_code == 3 and spoken.out.endswith("3 problems were found.\n")
