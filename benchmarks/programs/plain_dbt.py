"""Run dbt commands in one process, by dbt's own runner and nothing else: ``python plain_dbt.py COMMANDS.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner

runner = dbtRunner()
for arguments in json.loads(Path(sys.argv[1]).read_text()):
    answer = runner.invoke(arguments)
    if not answer.success:
        sys.exit(f"dbt {arguments} failed: {answer.exception}")
