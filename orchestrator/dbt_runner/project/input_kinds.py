"""Kinds of what decides the rows of a node, by the words that the ledger keeps them under.

The page ``docs/what-is-compared.md`` has a row for each of them; a test compares the two.
"""

from __future__ import annotations

NODES = ("seed", "model", "snapshot")
SIGNATURE = "signature of"
CODE = (*NODES, "macro", "hook", "function", SIGNATURE)
HOOK, WRITTEN_FILE, FILE = "hook", "file written by", "file"
VAR, ENVIRONMENT = "var", "env var"
OF_THE_ENVIRONMENT = " of the environment"
CONFIG, WRITTEN_CONFIG, META = "config", "written config", "meta"
COLUMNS, DESCRIPTION, ENTRY = "columns of", "description of", "entry of"
PARENTS, TAGS, CHOICE = "parents of", "stage tags of", "stage choice of"
SOURCE, SETTINGS_OF_SOURCE, ROWS_OF_SOURCE = "source", "settings of source", "rows of source"
ROWS_OF_TABLE = "rows of table"
TARGET, PROFILE, FLAG = "target", "profile setting", "dbt flag"
PLACE, STAGE, VERSION = "place of", "stage", "version of"
WHOLE_PROJECT, PROJECT_NAME, DISPATCH, COMPARED = (
    "the project",
    "name of the project",
    "dispatch order",
    "what is compared",
)
FIRST_YEAR, ORDER_OF_STAGES = "first year", "order of stages"

NAMED_KINDS = (
    *(
        *CODE,
        WRITTEN_FILE,
        FILE,
        VAR,
        WRITTEN_CONFIG,
        CONFIG,
        META,
        COLUMNS,
        DESCRIPTION,
        ENTRY,
        PARENTS,
        TAGS,
        CHOICE,
        SETTINGS_OF_SOURCE,
        ROWS_OF_SOURCE,
        ROWS_OF_TABLE,
    ),
    *(SOURCE, TARGET, PROFILE, FLAG, PLACE, STAGE, VERSION),
)
"""Kinds of which there are several, each with a name after it."""
SINGLE_KINDS = (WHOLE_PROJECT, PROJECT_NAME, DISPATCH, COMPARED, FIRST_YEAR, ORDER_OF_STAGES)
KINDS = (*NAMED_KINDS, ENVIRONMENT, *SINGLE_KINDS)

WITHOUT_VALUE = frozenset(
    {*CODE, WRITTEN_FILE, FILE, ENVIRONMENT, COLUMNS, DESCRIPTION, ENTRY, SETTINGS_OF_SOURCE, WHOLE_PROJECT}
)
"""Kinds of which a checksum is kept and no value that could be shown."""
SHARE = "4"
"""What :data:`COMPARED` holds now: it grows with the kinds, so that what an older version recorded is told from it."""
