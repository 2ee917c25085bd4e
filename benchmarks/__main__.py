"""``python -m benchmarks [CASE …]``: measure, merge into results.json, render RESULTS.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import cases, rendering, results
from benchmarks.bench import Bench
from benchmarks.machine import taken
from benchmarks.measure import BenchmarkError

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run what the command line names; return how many cases failed."""
    options = _options()
    if options.list:
        for name in cases.NAMES:
            print(f"{name:<18}{cases.load(name).about.splitlines()[0]}")
        return 0
    if options.render:
        _render(options.results)
        return 0
    failed = 0
    for name in options.cases or [name for name in cases.NAMES if options.long or name not in cases.LONG]:
        failed += not _measure(cases.load(name), options)
    return min(failed, 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="cases to run; without one, all but the long ones")
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up; by default as many as the time is worth")
    parser.add_argument("--long", action="store_true", help=f"also run {', '.join(sorted(cases.LONG))}")
    parser.add_argument("--quick", action="store_true", help="one round of the smallest sizes; shown, not written")
    parser.add_argument("--render", action="store_true", help="measure nothing; write RESULTS.md anew")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder, to look at it")
    parser.add_argument("--results", type=Path, default=HERE / "results.json", help="file to merge results into")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in cases.NAMES]
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(cases.NAMES)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be 1 or more")
    return options


def _measure(case: cases.Case, options: argparse.Namespace) -> bool:
    print(f"{case.name}: {case.about.splitlines()[0]}", flush=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"benchmark-{case.name}-"))
    bench = Bench(scratch, quick=options.quick, rounds=options.rounds, say=lambda text: print(text, flush=True))
    noted = taken(quick=options.quick)
    try:
        tables, checks = case.run(bench)
    except BenchmarkError as error:
        print(f"{case.name} failed: {error}", file=sys.stderr, flush=True)
        return False
    finally:
        if options.keep:
            print(f"    kept {scratch}", flush=True)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    result = results.CaseResult(case.name, case.about, noted, tuple(tables), tuple(checks))
    print("\n" + rendering.case_section(result, None), flush=True)
    if not options.quick:
        results.merge(options.results, result)
        _render(options.results)
    return True


def _render(path: Path) -> None:
    text = rendering.document(results.load(path), HERE / "notes", cases.NAMES)
    path.with_name("RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
