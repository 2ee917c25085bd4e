"""Thirty years of the shipped simulation, 1,000 employees at the start, against the floor."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Table
from benchmarks.shipped import simulation


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both; compare their tables."""
    march = simulation(3 if bench.quick else 30)
    recording = march.record(bench)
    contenders = [march.ours(bench), march.floor(bench, recording)]
    series = bench.compete(contenders)
    return [Table("30 years, 1,000 employees", series)], [march.compare(bench, contenders)]
