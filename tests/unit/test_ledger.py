"""The ledger on a real database: what is written is read back, and layouts of other versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

import duckdb
import pytest

from orchestrator.core.errors import ConfigurationError, DatabaseError
from orchestrator.database.catalog import Catalog
from orchestrator.database.duckdb_file import read_catalog
from orchestrator.database.names import SchemaName
from orchestrator.ledger.contents import Contents, KeptContents, read_contents
from orchestrator.ledger.layouts import LAYOUTS, ledger_version, upgrade_statements
from orchestrator.ledger.reading import FinishedStage, LedgerRun, read_built_tables, read_ledger
from orchestrator.ledger.writing import LedgerWriter
from tests.unit.test_healing_plan import node, project

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
RUN = LedgerRun("r1", "it's", "f1", {"var x": "'1'"}, 2025, 2027)


class Database:
    """A DuckDB database in memory, read and written as a run does."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows."""
        return self._connection.execute(sql).fetchall()

    def execute(self, statements: Sequence[str]) -> None:
        """Run statements in one transaction."""
        self._connection.begin()
        for statement in statements:
            self._connection.execute(statement)
        self._connection.commit()


@pytest.fixture
def database() -> Database:
    """A database with an empty ledger."""
    made = Database()
    made.execute(upgrade_statements(0, PLACE))
    return made


PLACE = SchemaName("memory", "orchestrator")
WRITER = LedgerWriter(PLACE, {})


def test_a_snapshot_of_the_catalog_answers_as_the_database_does(database: Database) -> None:
    """With a snapshot, the names of the ledger's tables are not asked for again, and a part that is gone is seen."""
    database.execute(WRITER.building([node("a")], AT))
    asked: list[str] = []

    class Watched:
        def query(self, sql: str) -> list[tuple[object, ...]]:
            asked.append(sql)
            return database.query(sql)

    assert ledger_version(Watched(), PLACE, read_catalog(database.query)) == len(LAYOUTS)
    assert len(asked) == 1 and "ledger_version" in asked[0]
    found = read_built_tables(database, PLACE, catalog=read_catalog(database.query))
    assert found == read_built_tables(database, PLACE) and list(found) == ["model.p.a"]
    database.execute(["drop table orchestrator.built_tables"])
    assert ledger_version(database, PLACE, read_catalog(database.query)) == 0 == ledger_version(database, PLACE)
    assert ledger_version(Database(), PLACE, Catalog()) == 0


def test_a_database_without_a_ledger_reads_as_empty() -> None:
    """Reading writes nothing and finds nothing."""
    bare = Database()
    assert ledger_version(bare, PLACE) == 0
    assert read_built_tables(bare, PLACE) == {}
    assert read_ledger(bare, PLACE).stages == ()
    assert bare.query("select * from duckdb_tables() where not internal") == []


def test_builds_are_read_back_with_what_they_were_made_of(database: Database) -> None:
    """A build is ``building`` until it is finished; the last word on a node counts."""
    facts = project()
    seed = node("s1", "seed")
    database.execute(WRITER.building([seed, node("base")], AT))
    assert {row.state for row in read_built_tables(database, PLACE).values()} == {"building"}
    database.execute(WRITER.built(facts, [seed], AT))
    tables = read_built_tables(database, PLACE)
    assert tables["model.p.base"].state == "building"
    assert (tables["seed.p.s1"].state, tables["seed.p.s1"].at) == ("built", AT)
    assert tables["seed.p.s1"].code == {"seed s1": "0"}


def test_runs_and_stages_are_read_back(database: Database) -> None:
    """Quotes in names survive, and a completed run is told from one that was cut off."""
    stage = FinishedStage(2025, "events", "f1", frozenset({"model.p.b", "model.p.a"}), 12, 0.5, run_id="r1")
    database.execute([*WRITER.run_started(RUN, AT, None), *WRITER.stage_finished(RUN, stage, AT)])
    ledger = read_ledger(database, PLACE)
    assert ledger.runs == (RUN,)
    assert ledger.stages == (stage,)
    assert ledger.finished(2025, "events") == stage
    assert ledger.finished(2025, "state") is None
    assert ledger.components_of("f1") == {"var x": "'1'"}
    database.execute(WRITER.run_completed("r1", AT))
    assert read_ledger(database, PLACE).runs[0].status == "completed"


def test_the_rows_of_a_year_are_read_back(database: Database) -> None:
    """The last count of a year is the one that holds; a year without tables is no year with none."""
    database.execute(WRITER.year_rows(2025, {"model.p.a": 3, "model.p.it's": 0}))
    database.execute(WRITER.year_rows(2026, {"model.p.a": 5}))
    database.execute(WRITER.year_rows(2026, {}))
    database.execute(WRITER.year_rows(2025, {"model.p.a": 4}))
    assert read_ledger(database, PLACE).carried == {(2025, "model.p.a"): 4}


def test_a_year_is_forgotten_with_all_that_follow(database: Database) -> None:
    """Finished stages of the year that are kept stay, later years go wholly."""
    for year in (2025, 2026, 2027):
        for name in ("events", "state"):
            stage = FinishedStage(year, name, "f1", frozenset())
            database.execute(WRITER.stage_finished(RUN, stage, AT))
    database.execute(WRITER.forget(2026, ["events"]))
    left = [(stage.year, stage.stage) for stage in read_ledger(database, PLACE).stages]
    assert left == [(2025, "events"), (2025, "state"), (2026, "events")]


@pytest.mark.parametrize("version", range(1, len(LAYOUTS)))
def test_an_older_layout_is_upgraded_with_its_rows(version: int) -> None:
    """Every layout ever written becomes the newest one, and what it held is still there."""
    old = Database()
    statements = [text.format(place='"memory"."orchestrator"') for layout in LAYOUTS[:version] for text in layout]
    old.execute([*statements, f"insert into orchestrator.ledger_version values ({version})"])
    row = "'seed.p.s1', '{}', '{}', null, timestamp '2026-01-02', 'built'"
    old.execute(
        [f"insert into orchestrator.built_tables (node, code, inputs, row_count, built_at, state) values ({row})"]
    )
    assert ledger_version(old, PLACE) == version
    assert read_contents(old, PLACE) == {}
    assert read_built_tables(old, PLACE)["seed.p.s1"].state == "built"
    assert read_ledger(old, PLACE).runs == ()
    old.execute(upgrade_statements(version, PLACE))
    assert ledger_version(old, PLACE) == len(LAYOUTS)
    assert read_built_tables(old, PLACE)["seed.p.s1"].state == "built"
    old.execute(WRITER.run_started(RUN, AT, None))
    assert read_ledger(old, PLACE).runs == (RUN,)


def test_what_was_built_elsewhere_is_not_this_projects(database: Database) -> None:
    """Two targets of one project in a file: each reads, and takes back, what is its own."""
    here, there = (replace(project(), nodes=(replace(node("b", "incremental"), schema=s),)) for s in ("dev", "prod"))
    for number, facts in enumerate((here, there), start=1):
        writer = replace(LedgerWriter.of(facts), place=PLACE)
        run = replace(RUN, run_id=f"r{number}", components={"place of b": f"{facts.nodes[0].schema}.b"})
        facts.nodes[0].__dict__["code"] = (("place of b", f"{facts.nodes[0].schema}.b"),)
        stage = FinishedStage(2025, "events", "f1", frozenset({"model.p.b"}), run_id=run.run_id)
        database.execute([*writer.run_started(run, AT, None), *writer.stage_finished(run, stage, AT)])
        database.execute(writer.year_rows(2025, {"model.p.b": number}))
        database.execute(writer.built(facts, facts.nodes, AT))
    for number, facts in enumerate((here, there), start=1):
        ledger = read_ledger(database, PLACE, facts)
        assert [run.run_id for run in ledger.runs] == [stage.run_id for stage in ledger.stages] == [f"r{number}"]
        assert ledger.carried == {(2025, "model.p.b"): number}
        assert ledger.elsewhere == {f"r{3 - number}"}
        assert set(read_built_tables(database, PLACE, facts)) == {"model.p.b"}
    mine = replace(LedgerWriter.of(here), place=PLACE)
    database.execute(mine.forget(2025, elsewhere=read_ledger(database, PLACE, here).elsewhere))
    database.execute(mine.building(here.nodes, AT))
    assert read_ledger(database, PLACE, here).stages == () and read_ledger(database, PLACE, here).carried == {}
    assert len(read_ledger(database, PLACE, there).stages) == len(read_ledger(database, PLACE, there).carried) == 1
    assert read_built_tables(database, PLACE, there)["model.p.b"].state == "built"
    assert read_built_tables(database, PLACE, here)["model.p.b"].state == "building"


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        (("orders (a integer)",), "orders"),
        (("runs (run integer, who varchar)", "ledger_version (version integer)"), "runs"),
        (("built_tables (stage integer)",), "built_tables"),
    ],
)
def test_a_schema_of_somebody_else_is_refused(tables: tuple[str, ...], named: str) -> None:
    """Tables of ours are recognized by their columns, whatever they are called."""
    theirs = Database()
    theirs.execute(["create schema orchestrator", *(f"create table orchestrator.{table}" for table in tables)])
    for catalog in (None, read_catalog(theirs.query)):
        with pytest.raises(ConfigurationError, match=f"already holds {named}") as caught:
            ledger_version(theirs, PLACE, catalog)
        assert "ledger: {schema:" in str(caught.value)


def test_other_tables_beside_the_ledger_do_no_harm(database: Database) -> None:
    """They are not written to, and an empty schema of that name may be used."""
    database.execute(["create table orchestrator.notes (a integer)"])
    assert ledger_version(database, PLACE) == len(LAYOUTS)
    empty = Database()
    empty.execute(["create schema orchestrator"])
    assert ledger_version(empty, PLACE) == 0


def test_a_newer_layout_is_refused(database: Database) -> None:
    """What a newer version wrote is not guessed at."""
    database.execute([f"update orchestrator.ledger_version set version = {len(LAYOUTS) + 1}"])
    for read in (read_ledger, read_built_tables):
        with pytest.raises(DatabaseError, match="knows layouts up to") as caught:
            read(database, PLACE)
        assert "To fix:" in str(caught.value)


def test_a_damaged_ledger_is_told_as_such(database: Database) -> None:
    """What no orchestrator wrote is an error with its cure; a part that is gone is laid out again."""
    database.execute(WRITER.run_started(RUN, AT, None))
    database.execute(["update orchestrator.runs set components = 'xx'"])
    with pytest.raises(DatabaseError, match="contains data that the orchestrator did not write") as caught:
        read_ledger(database, PLACE)
    assert "drop schema orchestrator cascade" in str(caught.value)
    database.execute(["drop table orchestrator.runs"])
    assert ledger_version(database, PLACE) == 0
    database.execute(upgrade_statements(0, PLACE))
    assert read_ledger(database, PLACE).runs == ()


def test_digests_of_years_are_kept_beside_their_rows(database: Database) -> None:
    """They are written for years that are counted, and go when the year is counted anew."""
    database.execute([*WRITER.year_rows(2025, {"model.p.a": 4}), *WRITER.year_rows(2026, {"model.p.a": 5})])
    database.execute(
        WRITER.year_digests({(2025, "model.p.a"): "v1 7", (2026, "model.p.a"): "v1 8", (2027, "x"): "v1 9"})
    )
    ledger = read_ledger(database, PLACE)
    assert ledger.digests == {(2025, "model.p.a"): "v1 7", (2026, "model.p.a"): "v1 8"}
    assert ledger.digested == {"model.p.a"}
    database.execute(WRITER.year_digests({}, {"model.p.a"}))
    assert read_ledger(database, PLACE).reaching == {"model.p.a"}
    database.execute(WRITER.year_rows(2025, {"model.p.a": 4}))
    assert read_ledger(database, PLACE).digests == {(2026, "model.p.a"): "v1 8"}
    assert WRITER.year_digests({}) == ()


def test_contents_of_tables_are_kept(database: Database) -> None:
    """Rows, digest and changes of a table come back as they were written; the last word on a table counts."""
    few, many = KeptContents(Contents(2, "v1 77"), Contents(3, "v1 6"), 1), KeptContents(Contents(2_000_000))
    database.execute(WRITER.contents({'"a"': KeptContents(Contents(1, "v1 5")), '"b"': many}))
    database.execute(WRITER.contents({'"a"': few}))
    assert read_contents(database, PLACE) == {'"a"': few, '"b"': many}
    assert WRITER.contents({}) == ()
