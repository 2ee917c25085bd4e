"""Two command lines for each command, as its help shows them."""

from __future__ import annotations

EXAMPLES = {
    "new": ("new demo --example NAME", "new --from ../warehouse --years 2025-2029"),
    "simulate": ("simulate 2025-2029", "simulate --as bold --set vars.target_growth_rate=0.05"),
    "check": ("check", "check --scenario high_growth --json"),
    "init": ("init", "init --dry-run"),
    "plan": ("plan 2025-2029", "plan --scenario high_growth"),
    "parameters": ("parameters", "parameters --schema"),
    "ask": ("ask 'ten years with seed 7'", "ask 'until 2035, call it far' --save"),
    "show": ("show lake_level --year 2026", "show lake_level --parquet levels.parquet"),
    "query": ("query 'select count(*) from lake_level'", "query --csv 'from lake_level'"),
    "compare": ("compare baseline high_growth", "compare baseline wet --rows lake_level --key lake"),
    "report": ("report", "report baseline high_growth --out growth.html"),
    "doctor": ("doctor", "doctor --fix"),
    "migrate": ("migrate --dry-run", "migrate"),
    "ui": ("ui", "ui --port 8080 --scenario high_growth"),
    "version": ("version", "version --json"),
    "help": ("help simulate", "help runs list"),
    "runs list": ("runs list --since 7d", "runs list --status failed --tag board"),
    "runs show": ("runs show 1f0c", "runs show --follow"),
    "runs diff": ("runs diff 1f0c 9a41", "runs diff 1f0c 9a41 --json"),
    "runs note": ("runs note 1f0c 'with the new formula'", "runs note 1f0c ''"),
    "runs tag": ("runs tag 1f0c final", "runs tag 1f0c --remove draft"),
    "runs import": ("runs import", "runs import 225b1e86-c143-48ca-b143-4f0bada14937"),
    "runs delete": ("runs delete 1f0c", "runs delete 1f0c 9a41"),
    "sweep run": (
        "sweep run --vary growth=0.02,0.03 --seeds 1-10",
        "sweep run 2025-2027 --scenarios baseline,bold --dry-run",
    ),
    "sweep resume": ("sweep resume growth", "sweep resume growth --workers 4"),
    "sweep status": ("sweep status", "sweep status growth --json"),
    "sweep cancel": ("sweep cancel growth", "sweep cancel growth --json"),
    "sweep list": ("sweep list", "sweep list --json"),
    "sweep delete": ("sweep delete growth", "sweep delete growth --yes"),
    "backup create": ("backup create", "backup create --reason 'before the new tables'"),
    "backup list": ("backup list", "backup list --json"),
    "backup verify": ("backup verify", "backup verify 20261121T165645Z"),
    "backup restore": ("backup restore 20261121T165645Z", "backup restore 20261121T165645Z --yes"),
    "backup prune": ("backup prune --keep 5", "backup prune --keep 1 --json"),
}


def epilog(command: str) -> str:
    """Return the examples of a command as the last lines of its help."""
    lines = (f"  orchestrator {example}" for example in EXAMPLES[command])
    return "\n\n".join(("Examples:", *lines))
