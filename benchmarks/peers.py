"""One pipeline written for several tools: 10 views and 8 tables, then each year 12 events, a fact, a snapshot, 8 marts.

It is held as data and written out as a dbt project with our configuration, as a SQLMesh project in that tool's own
way, and as bare SQL. Whole numbers only, so that equal means equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generated import write, write_project

FIRST_YEAR = 2025
VIEW, TABLE, EVENT, FACT, SNAPSHOT, MART = "view", "table", "event", "fact", "snapshot", "mart"
YEARLY = (EVENT, FACT, SNAPSHOT, MART)
VIEWS, TABLES, EVENTS, MARTS = 10, 8, 12, 8
STAGES = (("run", "tag:EVENTS"), ("run", "tag:STATE"), ("run", "tag:MARTS"))
TAGS = {VIEW: "FOUNDATION", TABLE: "FOUNDATION", EVENT: "EVENTS", FACT: "STATE", SNAPSHOT: "STATE", MART: "MARTS"}


@dataclass(frozen=True)
class Node:
    """A relation. In ``sql``, ``[name]`` reads another one and ``$words`` are what :class:`Words` gives."""

    name: str
    kind: str
    sql: str


@dataclass(frozen=True)
class Words:
    """How a tool says things.

    ``ref`` names a relation; ``years`` is a relation of the years to build, ``is_asked`` a condition on a year column,
    ``before`` the rows of the snapshot of the year before.
    """

    ref: Callable[[str], str]
    years: str
    is_asked: str
    before: str

    def write(self, node: Node) -> str:
        """Write a node's query in these words."""
        sql = node.sql.replace("$before", self.before).replace("$years", self.years)
        sql = sql.replace("$is_asked", self.is_asked)
        while "[" in sql:
            head, _, tail = sql.partition("[")
            name, _, tail = tail.partition("]")
            sql = head + self.ref(name) + tail
        return sql


def nodes(rows: int) -> list[Node]:
    """Return the pipeline in an order in which it can be built."""
    people = f"""select
    cast(range as integer) as id,
    cast((range * 7919) % 97 as integer) as grp,
    cast((range * 104729) % 100003 as bigint) as amount
from range({rows})"""
    listed = [Node("people", VIEW, people)]
    for number in range(1, VIEWS):
        sql = f"select id, grp, cast((amount * {number} + grp) % 1009 as integer) as score from [people]"
        listed.append(Node(f"score_{number}", VIEW, sql))
    for number in range(TABLES):
        first, second = 1 + number, 1 + (number + 1) % (VIEWS - 1)
        sql = f"""select
    people.id,
    people.grp,
    people.amount,
    cast(a.score + b.score as integer) as score,
    cast(sum(a.score) over (partition by people.grp) as bigint) as group_score
from [people] as people
inner join [score_{first}] as a on people.id = a.id
inner join [score_{second}] as b on people.id = b.id"""
        listed.append(Node(f"base_{number}", TABLE, sql))
    for number in range(EVENTS):
        sql = f"""select
    cast(years.year as integer) as simulation_year,
    base.id,
    cast({number} as integer) as kind,
    cast((base.score * years.year + base.group_score) % 1013 as integer) as value
from [base_{number % TABLES}] as base
cross join $years as years
where (base.id * 31 + years.year * 17) % {7 + number} = 0"""
        listed.append(Node(f"event_{number:02}", EVENT, sql))
    union = "\nunion all\n".join(
        f"select simulation_year, id, kind, value from [event_{number:02}] where simulation_year $is_asked"
        for number in range(EVENTS)
    )
    listed += [Node("fact", FACT, union), Node("snapshot", SNAPSHOT, SNAPSHOT_SQL)]
    for number in range(MARTS):
        sql = f"""select
    snapshot.simulation_year,
    snapshot.grp % {5 + number} as bucket,
    cast(count(*) as bigint) as people,
    cast(sum(snapshot.balance) as bigint) as balance,
    cast(max(fact.events) as bigint) as most_events
from [snapshot] as snapshot
left join (
    select simulation_year, id, count(*) as events from [fact] where simulation_year $is_asked group by all
) as fact on snapshot.id = fact.id and snapshot.simulation_year = fact.simulation_year
where snapshot.simulation_year $is_asked
group by snapshot.simulation_year, snapshot.grp % {5 + number}"""
        listed.append(Node(f"mart_{number}", MART, sql))
    return listed


SNAPSHOT_SQL = """select
    cast(years.year as integer) as simulation_year,
    before.id,
    before.grp,
    cast(before.balance + coalesce(changes.value, 0) as bigint) as balance,
    cast(before.age + 1 as integer) as age
from ($before) as before
cross join $years as years
left join (
    select id, sum(value) as value from [fact] where simulation_year $is_asked group by id
) as changes on before.id = changes.id"""
SNAPSHOT_COLUMNS = "simulation_year int, id int, grp int, balance bigint, age int"
FIRST = "select id, grp, amount as balance, 0 as age from [base_0]"
BEFORE = "select id, grp, balance, age from {snapshot} where simulation_year = {year} - 1"


def write_dbt(folder: Path, rows: int) -> None:
    """Write a dbt project into ``dbt/`` and our configuration into ``config/``."""
    year = "{{ var('simulation_year') }}"
    before = "{% if is_incremental() %}" + BEFORE.format(snapshot="{{ this }}", year=year)
    words = Words(
        ref=lambda name: f"{{{{ ref('{name}') }}}}",
        years=f"(select {year} as year)",
        is_asked=f"= {year}",
        before=before + "{% else %}" + FIRST + "{% endif %}",
    )
    write_project(folder / "dbt", "peers", f"vars: {{simulation_year: {FIRST_YEAR}}}\n")
    for node in nodes(rows):
        how = {VIEW: "materialized='view'", TABLE: "materialized='table'"}
        yearly = "materialized='incremental', incremental_strategy='append'"
        config = f"{{{{ config({how.get(node.kind, yearly)}, tags=['{TAGS[node.kind]}']) }}}}\n"
        write(folder / "dbt" / "models" / node.kind / f"{node.name}.sql", config + words.write(node) + "\n")
    stages = [{"name": select.partition(":")[2].lower(), "select": select} for _, select in STAGES]
    settings = {
        "simulation": {"start_year": FIRST_YEAR, "end_year": FIRST_YEAR + 4},
        "database": "march.duckdb",
        "dbt": {"project_dir": "dbt"},
        "stages": stages,
    }
    write(folder / "config" / "simulation.yaml", json.dumps(settings))


def write_sqlmesh(folder: Path, rows: int) -> None:
    """Write a SQLMesh project: a year is an interval; whatever needs no year before takes all years in one query."""
    words = Words(
        ref=lambda name: f"main.{name}",
        years="(select range as year from range(year(@start_date), year(@end_date) + 1))",
        is_asked="between year(@start_date) and year(@end_date)",
        before=BEFORE.format(snapshot="main.snapshot", year="year(@start_date)")
        + f" union all {FIRST} where year(@start_date) = {FIRST_YEAR}",
    )
    write(
        folder / "config.yaml",
        "gateways: {local: {connection: {type: duckdb, database: march.duckdb}}}\n"
        "default_gateway: local\n"
        "disable_anonymized_analytics: true\n"
        f"model_defaults: {{dialect: duckdb, start: '{FIRST_YEAR}-01-01', cron: '@yearly'}}\n",
    )
    for node in nodes(rows):
        yearly = "INCREMENTAL_BY_TIME_RANGE (time_column (simulation_year, '%Y'))"
        kind = {VIEW: "VIEW", TABLE: "FULL"}.get(node.kind, yearly)
        more = ""
        if node.kind == SNAPSHOT:
            kind = kind.replace("'%Y')", "'%Y'), batch_size 1")
            more = f",\n  columns ({SNAPSHOT_COLUMNS})"
        head = f"MODEL (\n  name main.{node.name},\n  kind {kind}{more}\n);\n\n"
        write(folder / "models" / f"{node.name}.sql", head + words.write(node) + "\n")


def write_sql(path: Path, rows: int, years: int) -> None:
    """Write the statements of somebody who needs no tool, in the form of a recording."""
    listed = nodes(rows)
    statements = [
        f"create {node.kind} {node.name} as {_bare(FIRST_YEAR).write(node)}"
        for node in listed
        if node.kind not in YEARLY
    ]
    for year in range(FIRST_YEAR, FIRST_YEAR + years):
        for node in listed:
            if node.kind in YEARLY:
                head = f"create table {node.name} as" if year == FIRST_YEAR else f"insert into {node.name}"
                statements.append(f"{head} {_bare(year).write(node)}")
    write(path, "".join(json.dumps([0, statement, None]) + "\n" for statement in statements))


def _bare(year: int) -> Words:
    before = FIRST if year == FIRST_YEAR else BEFORE.format(snapshot="[snapshot]", year=year)
    return Words(lambda name: name, f"(select {year} as year)", f"= {year}", before)
