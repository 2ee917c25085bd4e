"""The tables of a member that are gathered: which they are, and their rows as Parquet files."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import quote

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.permissions import make_folder
from orchestrator.core.text import did_you_mean
from orchestrator.database.sql import literal, quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import moves
from orchestrator.ledger.reading import read_ledger
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.pipeline.summary import summary_model
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.kept_columns import MEMBER, kept_name
from orchestrator.scenarios.plan import Member
from orchestrator.scenarios.task import MemberTask
from orchestrator.self_healing.database_look import open_reader


def require_tables(facts: ProjectFacts, keep: Sequence[str]) -> None:
    """Make sure that the project builds the tables that are to be kept.

    Raises:
        ConfigurationError: it does not build one of them.
    """
    for name in keep:
        if facts.buildable(name) is None:
            known = [node.name for node in facts.nodes if node.builds]
            raise ConfigurationError(
                f"--keep names {name!r}, and the dbt project builds no table of that name.{did_you_mean(name, known)}",
                to_fix="name a model or a seed of the project",
            )
        _require_one_table(facts.buildable(name))


def tables_to_keep(orchestrator: PipelineOrchestrator, keep: Sequence[str]) -> tuple[NodeFacts, ...]:
    """Return the tables that are gathered: those of ``keep``, by default the summary and the last stage's models."""
    runner = orchestrator.runner
    facts = runner.current_facts()
    if keep:
        named = [facts.buildable(name) for name in keep]
        return tuple(node for node in named if node is not None)
    with open_reader(runner, facts) as reader:
        ledger = read_ledger(reader, facts.ledger, facts)
    ran: dict[str, set[str]] = {stage.name: set() for stage in orchestrator.config.stages}
    for stage in ledger.stages:
        ran.setdefault(stage.stage, set()).update(stage.nodes)
    models = {node.unique_id: node for node in facts.models() if node.leaves_relation}
    last = next((ids for name in reversed(ran) if (ids := ran[name] & models.keys())), set())
    summary = summary_model(facts)
    wanted = last | ({summary.unique_id} if summary is not None else set())
    found = tuple(node for unique_id, node in models.items() if unique_id in wanted)
    for node in found:
        _require_one_table(node)
    return found


def _require_one_table(node: NodeFacts | None) -> None:
    """Refuse to gather a table of which there are several, as the year decides its name.

    Raises:
        ConfigurationError: there are.
    """
    if node is not None and moves(node):
        raise ConfigurationError(
            f"{node.name} is another table in some years, and only one table of a node can be gathered.",
            to_fix="gather a model that is the same table in all years, by `--keep NAME`",
        )


def seed_of(config: SimulationConfig) -> int:
    """Return the random seed of a member's configuration."""
    return config.simulation.random_seed if config.simulation is not None else 0


def parquet_file(folder: SweepFolder, table: str, scenario: str, seed: int, key: str) -> Path:
    """Return the place of the rows of a table of a member."""
    return folder.results / table / f"scenario={quote(scenario, safe='')}" / f"seed={seed}" / f"{key}.parquet"


def write_tables(orchestrator: PipelineOrchestrator, task: MemberTask, tables: Sequence[NodeFacts]) -> None:
    """Write the rows of a member's tables into its folder of results, all tables or none.

    What was gathered of it before, of another seed or of tables that are no longer kept, is removed.
    """
    folder, key = task.folder, task.member.key
    staged = folder.path / f".{key}.new"  # on the disk of the results, whatever disk the member is on
    shutil.rmtree(staged, ignore_errors=True)
    make_folder(staged)
    try:
        files = []
        for node in tables:
            new = staged / f"{node.name}.parquet"
            orchestrator.runner.execute(_copy(orchestrator, node, key, new))
            seed = seed_of(orchestrator.config)
            files.append((new, parquet_file(folder, node.name, task.member.scenario, seed, key)))
        for new, place in files:
            make_folder(place.parent)
            new.replace(place)
        remove_tables(folder, task.member, but=[place for _, place in files])
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def remove_tables(folder: SweepFolder, member: Member, *, but: Collection[Path] = ()) -> None:
    """Remove the rows that were gathered of a member, except those in some files."""
    for file in folder.results.glob(f"*/*/*/{member.key}.parquet"):
        if file not in but:
            file.unlink(missing_ok=True)


def _copy(orchestrator: PipelineOrchestrator, node: NodeFacts, key: str, file: Path) -> str:
    columns = [name for name, _ in orchestrator.runner.columns(node.name)]
    own = [f"{quoted_name(name)} as {quoted_name(kept_name(name))}" for name in columns]
    rows = f"select {', '.join([f'{literal(key)} as {MEMBER}', *own])} from {node.relation.quoted()}"
    return f"copy ({rows}) to {literal(file)} (format parquet, compression zstd)"
