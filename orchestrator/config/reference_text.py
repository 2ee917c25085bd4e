"""What the reference of the configuration says beside the keys: layers, hooks, what a section needs."""

from __future__ import annotations

INTRODUCTION = """\
# Configuration

Every key, made from the schema in `orchestrator/config` by `make docs`, which is the place to change this page.
Unknown keys and wrong values are refused with exit code 2 before anything runs; the message names file, line and key,
what is allowed, and the nearest right name.

The configuration is the file that `--config` names, else `ORCHESTRATOR_CONFIG`, else the nearest
`config/simulation.yaml` or `orchestrator.yaml` in the working folder or above it, else the nearest `dbt_project.yml`,
as if `dbt: {project_dir: .}` stood beside it. The project root is the folder that holds `config/`, or the file's own
folder; relative paths start there. Over the file are laid, later ones win:

1. the scenario, `scenarios/<name>.yaml` beside the file, which `scenario` or `--scenario NAME` chooses;
2. environment variables, two underscores between levels: `ORCHESTRATOR_SELF_HEALING__TIMEOUT_SECONDS=120`;
3. `--set self_healing.timeout_seconds=120`, repeatable, or `overrides=` in Python;
4. `--database PATH`, and `--as NAME`.

Sections are merged key by key; lists and single values replace. Files are YAML 1.2: `yes`, `no`, `on` and `off` are
not booleans (write `true` and `false`), and a date is text. A key written `stages[].name` is that of each entry of
a list, `parameters.<name>.type` that of each entry under a name of yours. A key that is `not set` by default may also
be written as `null`.

Values of keys and variables whose names hold `secret`, `passw`, `pwd`, `token`, `credential` or `api_key` are written
nowhere and shown as `***`; so are parameters with `secret: true`, passwords in URLs and the environment variables
`DBT_ENV_SECRET_…`.
"""

_PARAMETERS = """\
A parameter is a dbt variable: its value stands under `vars`, here or in a scenario, or is given as `--set
vars.<name>=…`; without one, the dbt project's own holds. A value of another type or out of range is refused,
whichever layer it comes from, and [`orchestrator parameters`](cli/parameters.md) lists them all.
"""

_VARS = """\
`simulation.year_var` may not be among `vars`: the orchestrator sets it for every year. `start_year` and `random_seed`
are handed to dbt as well, unless they stand here. A variable that nothing in the dbt project reads is refused.

`permissions: private` makes files with mode 0600 and folders with 0700: events, queries of failed tests, the run
history, kept parses, backups, journals, and the locks of these. What is there already keeps its mode. Not private are,
whatever `permissions` says:

- databases, what holds them (`var` itself too) and what `publish` copies: they get the mode that the umask lets;
- the lock beside a database file and the note that names its holder: they get the mode of the database, so that all
  users who may write to it can lock it and read who holds it, and nobody else can;
- copies of databases in a backup: they keep the mode of the database, inside a folder that is private.

Several users who share a workspace, and not only its database, write `permissions: umask`, and have a umask such as
002. What dbt itself writes lies in a folder that is made by these rules.
"""

_STAGES = """\
Each stage is one dbt command of every year, in this order. It has a name of its own. `simulation` and `stages` need
each other.
"""

_REQUIRED = """\
`auto` takes every seed, every model tagged `FOUNDATION` (or what `self_healing.foundation` selects) and what years read
from the year before ([your own project](your-own-project.md)); without `simulation`, all that dbt builds. A list
replaces that; one of tables of tier `hook` alone is added to it.
"""

_HOOKS = """\
| `type` | is called | `year` | `stage` |
|---|---|---|---|
| `pre_initialization` | under the lock, before the required tables are checked and healed, by a run and by `init` | | |
| `pre_simulation` | under the lock, after healing and before rows are removed and the first year begins | | |
| `pre_year` | before the first stage of each year | ✓ | |
| `pre_stage` | before each stage, or before the one that `stage` names | ✓ | ✓ |
| `post_stage` | after each stage, or after the one that `stage` names | ✓ | ✓ |
| `post_year` | after the last stage of each year | ✓ | |
| `post_simulation` | after the last year, before the run counts as completed | | |
| `on_failure` | after an error, an interruption or a cancellation that ends the run; `error` holds it | | |

`call` names a function of one argument, a `HookContext`. Its module is looked for in the project root first, then
among the installed packages; it is imported when the orchestrator is made, and one that is not there is refused with
exit code 2. Installed packages may bring hooks along by the entry-point group `orchestrator.hooks`; those are called
first, then these, then those registered in code.

The context's attributes are `run_id`, `scenario`, `years` (all of the run), `year`, `stage`, `database` (its path),
`config`, `error`, and two functions that use the run's own connection: `query(sql)` returns the rows as a list of
tuples; `execute(sql)` runs SQL in a transaction of its own and returns nothing. A connection of the hook's own fails
on a DuckDB file, which the dbt process of the run has open.

```python
from orchestrator import HookContext

def look(context: HookContext) -> None:
    context.execute(f"create table if not exists seen_{context.year} as select 1 as one")
    ((rows,),) = context.query("select count(*) from fct_yearly_events")
    if rows == 0:
        raise ValueError(f"{context.year} has no events")
```

Rows of finished years that a hook changes or removes stop the run. Hooks have no time limit of their own.
"""

_LISTENERS = "See [Notify other programs of a run](listeners.md).\n"
_STORAGE = "See [the run history](history.md).\n"

NOTES = {
    "": _VARS,
    "parameters.<name>": _PARAMETERS,
    "required_tables[]": _REQUIRED,
    "stages[]": _STAGES,
    "hooks[]": _HOOKS,
    "listeners": _LISTENERS,
    "storage": _STORAGE,
}

CLOSING = """\
## See also

[Your own project](your-own-project.md) begins with one line of configuration; [the command line](cli/README.md) lists
the options that change it for one command.
"""
