"""Run command lines of dbt one after the other: ``python -m tests.doubts.dbt_commands '[["seed"], ["run"]]'``.

dbt's own entry point for programs takes them as its command line does; one process saves importing dbt for each.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Run them until one fails."""
    from dbt.cli.main import dbtRunner  # who only looks at this module needs no dbt

    return next((1 for line in json.loads(sys.argv[1]) if not dbtRunner().invoke(line).success), 0)


if __name__ == "__main__":
    sys.exit(main())
