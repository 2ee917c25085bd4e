"""Write a synthetic census of any size, streaming, the same for the same seed.

The people are believable rather than real: ages 20 to 67, right-skewed tenure, pay by level with
overlapping ranges, participation that grows with age and level.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    "employee_id",
    "birth_date",
    "hire_date",
    "job_level",
    "annual_compensation",
    "department",
    "deferral_rate",
)
DEPARTMENTS = (
    ("Operations", 0.34),
    ("Sales", 0.20),
    ("Engineering", 0.18),
    ("Customer Service", 0.14),
    ("Finance", 0.08),
    ("Human Resources", 0.06),
)
PAY_RANGES = {
    1: (38_000, 64_000),
    2: (54_000, 92_000),
    3: (78_000, 132_000),
    4: (112_000, 190_000),
    5: (165_000, 420_000),
}
LEVEL_SCORES = (0.427, 0.580, 0.692, 0.782)
DEFERRAL_RATES = (
    ("0.0300", 0.22),
    ("0.0400", 0.12),
    ("0.0500", 0.18),
    ("0.0600", 0.20),
    ("0.0800", 0.12),
    ("0.1000", 0.10),
    ("0.1500", 0.06),
)
YEAR_DAYS = 365.25
WAITING_DAYS = 90


def pick(options: tuple[tuple[str, float], ...], draw: float) -> str:
    """Return the option in whose share of [0, 1) the draw falls."""
    for value, share in options:
        draw -= share
        if draw < 0:
            return value
    return options[-1][0]


def employees(count: int, *, seed: int, as_of: dt.date) -> Iterator[tuple[str, ...]]:
    """Yield one tuple of CSV texts per employee, in the order of `COLUMNS`.

    Only `random()` is used: it alone is promised to stay the same between Python versions.
    """
    draw = random.Random(seed).random
    for number in range(1, count + 1):
        age = 20.2 + 47.5 * (0.62 * draw() + 0.38 * draw()) ** 1.12
        tenure = min(-6.5 * math.log(1.0 - draw()), age - 18.1)
        experience = (age - 20.0) / 47.0
        score = 0.55 * draw() + 0.25 * experience + 0.20 * min(tenure / 15.0, 1.0)
        level = 1 + sum(needed <= score for needed in LEVEL_SCORES)
        low, high = PAY_RANGES[level]
        position = 0.04 + 0.55 * draw() * draw() + 0.20 * min(tenure / 12.0, 1.0) + 0.15 * draw()
        birth_date = as_of - dt.timedelta(days=round(age * YEAR_DAYS))
        tenure_days = round(tenure * YEAR_DAYS)
        department = pick(DEPARTMENTS, draw())
        enrolled = draw() < 0.48 + 0.22 * experience + 0.05 * level and tenure_days >= WAITING_DAYS
        rate = pick(DEFERRAL_RATES, draw())
        yield (
            f"E{number:07d}",
            birth_date.isoformat(),
            (as_of - dt.timedelta(days=tenure_days)).isoformat(),
            str(level),
            f"{round(low + (high - low) * position, -1):.2f}",
            department,
            rate if enrolled else "",
        )


def write_csv(path: Path, rows: Iterator[tuple[str, ...]]) -> None:
    """Write header and rows to `path`, one at a time."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def write_parquet(path: Path, rows: Iterator[tuple[str, ...]]) -> None:
    """Write the rows to `path` as Parquet, by way of a temporary CSV beside it."""
    import duckdb  # slow, and only Parquet needs it

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        text = Path(folder) / "census.csv"
        write_csv(text, rows)
        with duckdb.connect() as connection:
            source = str(text).replace("'", "''")
            target = str(path).replace("'", "''")
            connection.execute(
                f"""
                copy (
                    select * from read_csv('{source}', header = true, nullstr = '', columns = {{
                        'employee_id': 'varchar', 'birth_date': 'date', 'hire_date': 'date',
                        'job_level': 'integer', 'annual_compensation': 'decimal(18,2)',
                        'department': 'varchar', 'deferral_rate': 'decimal(6,4)'
                    }})
                ) to '{target}' (format parquet)
                """
            )


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, metavar="N", help="number of employees")
    parser.add_argument("--out", type=Path, default=Path("census.csv"), help="file to write: .csv or .parquet")
    parser.add_argument("--seed", type=int, default=42, help="the same seed gives the same people")
    parser.add_argument(
        "--as-of",
        type=dt.date.fromisoformat,
        default=dt.date(2024, 12, 31),
        help="the day the census describes: 31 December before the first simulated year",
    )
    args = parser.parse_args()
    if args.count < 0:
        parser.error(f"N is {args.count}; it must be 0 or more")
    if args.out.suffix not in {".csv", ".parquet"}:
        parser.error(f"--out is {args.out}; it must end in .csv or .parquet")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write = write_parquet if args.out.suffix == ".parquet" else write_csv
    write(args.out, employees(args.count, seed=args.seed, as_of=args.as_of))
    print(f"{args.out}: {args.count:,} employees as of {args.as_of}")


if __name__ == "__main__":
    main()
