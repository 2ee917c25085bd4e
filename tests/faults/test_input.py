"""Seeds, models, profiles and configurations that are not what they should be."""

from __future__ import annotations

import copy

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.ground import Ground
from tests.faults.registry import Fault, Steps, declared, fault, faults
from tests.unit.test_config import EVERY_PLACE, WHOLE, written

RAIN = "dbt/seeds/rain.csv"
ROWS = "1,0.5\n2,0.25\n3,1.0\n"
TABLE = "{{ config(materialized='table', tags=['FOUNDATION']) }}\n"
SHORE = "dbt/models/foundation/lake_shore.sql"
AS_IT_WAS = "nothing was written"
OTHERS_STAY = "other tables and all years stay"


@faults(
    "Seeds and models",
    Fault("a seed's file is missing", 2, ("stg_rain", "rain"), 2, AS_IT_WAS, untouched=True),
    Fault("a seed's file is empty", 1, ("rain", "rain.csv"), 3, OTHERS_STAY, given=""),
    Fault(
        "a seed has a header and no rows", 0, (), 0, "an empty table, which no promise forbids", given=b"month,depth\n"
    ),
    Fault(
        "a seed got a column", 0, (), 0, "the table gets it too", given="month,depth,note\n1,0.5,a\n2,0.25,b\n3,1.0,c\n"
    ),
    Fault("a seed lost a column that a model reads", 1, ("depth",), 3, OTHERS_STAY, given="month\n1\n2\n3\n"),
    Fault("a row has more values than the header", 1, ("rain.csv",), 3, OTHERS_STAY, given="month,depth\n1,0.5,9,9\n"),
    Fault("a wrong type in one row", 1, ("rain.csv", '"lots"'), 3, OTHERS_STAY, given=f"month,depth\n{ROWS}4,lots\n"),
    Fault(
        "a seed that is not UTF-8",
        2,
        ("rain.csv", "UTF-8"),
        2,
        AS_IT_WAS,
        untouched=True,
        given=b"month,depth\n1,\xff\n",
    ),
    Fault(
        "a seed with a byte order mark",
        0,
        (),
        0,
        "it is read without it",
        given=b"\xef\xbb\xbf" + f"month,depth\n{ROWS}".encode(),
    ),
    Fault(
        "a seed with Windows line ends",
        0,
        (),
        0,
        "it is read as any other",
        given=f"month,depth\n{ROWS}".replace("\n", "\r\n"),
    ),
)
def test_a_seed(ground: Ground, one: Fault) -> Steps:
    """A seed's file as somebody may have left it."""
    assert one.given is None or isinstance(one.given, (str, bytes))
    with ground.changed(RAIN, one.given):
        told = ground("simulate")
        if one.exit_code == 0 and one.given != b"month,depth\n":
            assert ground.workspace.digests()["lake_level"] == ground.undisturbed["lake_level"]
        yield told


@fault(
    "Seeds and models",
    Fault(
        "a seed with a duplicate key, and a dbt test that says so",
        1,
        ("unique_rain_month", "found 1 failing row", "checks of 2000"),
        0,
        "the query that shows the rows lies beside the run's events",
    ),
)
def test_a_duplicate_key(ground: Ground) -> Steps:
    """The stage that runs the test stops the run, with the test and the number of rows."""
    seeds = yaml.safe_load(ground.text("dbt/seeds/seeds.yml"))
    seeds["seeds"][1]["columns"] = [{"name": "month", "data_tests": [{"unique": {"config": {"tags": ["CHECKS"]}}}]}]
    with (
        ground.changed("dbt/seeds/seeds.yml", yaml.safe_dump(seeds)),
        ground.changed(RAIN, f"month,depth\n{ROWS}3,1.0\n"),
    ):
        yield ground("simulate")


@faults(
    "Seeds and models",
    Fault(
        "a model with a syntax error", 1, ("lake_shore", SHORE, "syntax error"), 3, OTHERS_STAY, given="selct 1 as i"
    ),
    Fault(
        "a model that reads a relation that is not there",
        1,
        ("lake_shore", "nowhere"),
        3,
        OTHERS_STAY,
        given="select * from nowhere",
    ),
    Fault(
        "a model that reads a column that is not there",
        1,
        ("lake_shore", "depht"),
        3,
        OTHERS_STAY,
        given="select depht from {{ ref('rain') }}",
    ),
    Fault(
        "a model whose ref names nothing",
        2,
        ("lake_shore", "nowhere"),
        2,
        AS_IT_WAS,
        untouched=True,
        given="select * from {{ ref('nowhere') }}",
    ),
    Fault("a model whose Jinja is not closed", 2, ("lake_shore",), 2, AS_IT_WAS, untouched=True, given="select {{ 1"),
    Fault(
        "a model whose macro is not there",
        1,
        ("lake_shore", "no_such_macro"),
        3,
        OTHERS_STAY,
        given="select {{ no_such_macro() }}",
    ),
    Fault(
        "models that read each other",
        2,
        ("lake_shore",),
        2,
        AS_IT_WAS,
        untouched=True,
        given="select * from {{ ref('lake_shore') }}",
    ),
    Fault("a model without a text", 1, ("lake_shore",), 3, OTHERS_STAY, given=""),
)
def test_a_model(ground: Ground, one: Fault) -> Steps:
    """A foundation model that does not work."""
    with ground.changed(SHORE, f"{TABLE}{one.given}"):
        yield ground("simulate")


@fault(
    "Seeds and models",
    Fault("a model that promises rows gives none", 1, ("lake_shape has 0 rows", "verify"), 3, "no year is begun"),
)
def test_a_model_without_rows(ground: Ground) -> Steps:
    """A promise (min_rows) that is broken stops the run before the first year."""
    shape = "dbt/models/foundation/lake_shape.sql"
    with ground.changed(shape, ground.text(shape) + " where false"):
        yield ground("simulate")


@fault(
    "Seeds and models",
    Fault("a yearly model that gives no rows", 0, (), 0, "no promise forbids it: the years are empty"),
)
def test_a_yearly_model_without_rows(ground: Ground) -> Steps:
    """What a yearly model must hold is for dbt tests to say."""
    inflow = "dbt/models/yearly/inflow.sql"
    with ground.changed(inflow, ground.text(inflow) + " where false"):
        yield ground("simulate")


@fault(
    "Seeds and models",
    Fault(
        "a runtime error in the third year alone",
        1,
        ("inflow", "inflow.sql", "no rain in 2002", "stage flows of 2002"),
        0,
        "the first two years stay finished",
    ),
)
def test_an_error_in_one_year(ground: Ground) -> Steps:
    """Two years are finished and kept; the model's cure changes what they were made of, so the run begins anew."""
    inflow = "dbt/models/yearly/inflow.sql"
    trap = " where case when {{ var('water_year') }} = 2002 then error('no rain in 2002') else true end"
    with ground.changed(inflow, ground.text(inflow) + trap):
        told = ground("simulate")
        finished = ground.sql("select distinct year from orchestrator.stages order by 1")
        assert finished == [(2000,), (2001,)]
        yield told
    plan = ground("plan", "--json").document()
    assert plan["resumed_from"] is None and plan["changes"]


PROFILE = "dbt/profiles.yml"
PROJECT = "dbt/dbt_project.yml"


def profile(**output: object) -> str:
    """Return a profile with one target."""
    return yaml.safe_dump({"reservoir": {"target": "dev", "outputs": {"dev": {"type": "duckdb", **output}}}})


@faults(
    "Profile and configuration",
    Fault("no profile", 2, ("profiles.yml",), 2, AS_IT_WAS, untouched=True, given=(PROFILE, None)),
    Fault("a profile that is no YAML", 2, ("profiles.yml",), 2, AS_IT_WAS, untouched=True, given=(PROFILE, "a: [b")),
    Fault(
        "a profile of another name",
        2,
        ("reservoir",),
        2,
        AS_IT_WAS,
        untouched=True,
        given=(PROFILE, "a: {target: b, outputs: {}}"),
    ),
    Fault(
        "an adapter that is not installed",
        2,
        ("oracle",),
        2,
        AS_IT_WAS,
        untouched=True,
        given=(PROFILE, profile(type="oracle")),
    ),
    Fault(
        "the profile names another database than the configuration",
        2,
        ("The configuration names database", "other.duckdb", "env_var('ORCHESTRATOR_DATABASE')"),
        2,
        AS_IT_WAS,
        untouched=True,
        given=(PROFILE, profile(path="other.duckdb")),
    ),
    Fault("no dbt_project.yml", 2, ("dbt_project.yml",), 2, AS_IT_WAS, untouched=True, given=(PROJECT, None)),
    Fault(
        "a dbt_project.yml that is no YAML",
        2,
        ("dbt_project.yml",),
        2,
        AS_IT_WAS,
        untouched=True,
        given=(PROJECT, "name: ["),
    ),
)
def test_a_profile(ground: Ground, one: Fault) -> Steps:
    """The file that is wrong is named, with what is wrong in it."""
    assert isinstance(one.given, tuple)
    file, content = one.given
    with ground.changed(file, content):
        yield ground("simulate")
    assert not list(ground.root.rglob("other.duckdb"))


@faults(
    "Profile and configuration",
    Fault(
        "a target that the profile has not",
        2,
        ("nowhere", "dev"),
        0,
        AS_IT_WAS,
        untouched=True,
        given="dbt.target=nowhere",
    ),
    Fault(
        "a project folder that is not there",
        2,
        ("no_dbt",),
        0,
        AS_IT_WAS,
        untouched=True,
        given="dbt.project_dir=no_dbt",
    ),
    Fault(
        "a hook that is not there",
        2,
        ("no_such_module",),
        0,
        AS_IT_WAS,
        untouched=True,
        given="hooks=[{type: pre_year, call: 'no_such_module:f'}]",
    ),
    Fault(
        "a stage that selects nothing",
        2,
        ("tag:NOTHING", "matches no model"),
        0,
        AS_IT_WAS,
        untouched=True,
        given="stages=[{name: a, select: 'tag:NOTHING'}]",
    ),
    Fault(
        "a required table that nothing builds",
        2,
        ("clouds", "no seed file"),
        0,
        AS_IT_WAS,
        untouched=True,
        given="required_tables=[{name: clouds, tier: seed}]",
    ),
    Fault(
        "a scenario that is not there",
        2,
        ("'wte'", "Did you mean 'wet'?"),
        0,
        AS_IT_WAS,
        untouched=True,
        given="scenario=wte",
    ),
)
def test_a_setting(ground: Ground, one: Fault) -> Steps:
    """A value of the right type that fits nothing."""
    yield ground("simulate", "--set", str(one.given))


def tree(ground: Ground) -> dict[str, tuple[int, int]]:
    """Return size and time of every file of the project."""
    found = {path: path.stat() for path in ground.root.rglob("*") if path.is_file()}
    return {str(path): (state.st_size, state.st_mtime_ns) for path, state in found.items()}


WRONG = Fault("any field of the configuration holds a wrong value", 2, "config/simulation.yaml", None, AS_IT_WAS)


@declared("Profile and configuration", WRONG)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from([p for p in EVERY_PLACE if "choices" not in p[:-1] and "vary" not in p[:-2]]))
def test_a_wrong_field_writes_nothing(ground: Ground, path: tuple[str | int, ...]) -> None:
    """The command line names the file and the field, ends with 2, and leaves every file as it is.

    Choices and what is varied may be anything that JSON can say.
    """
    data = copy.deepcopy(WHOLE)
    target: object = data
    for part in path[:-1]:
        target = target[part]  # type: ignore[index]
    target[path[-1]] = {"no such": {"key": 1}}  # type: ignore[index]
    (ground.root / "config" / "scenarios" / "s.yaml").write_text("vars: {}\n")
    with ground.changed("config/simulation.yaml", yaml.safe_dump(data)):
        before = tree(ground)
        told = ground("simulate")
        assert (told.exit_code, told.out) == (WRONG.exit_code, ""), told
        assert told.err.startswith("Error: ") and "Traceback" not in told.err, told
        assert "config/simulation.yaml" in told.err, told
        assert written(path) in told.err, told
        assert tree(ground) == before
