"""Names, functions and methods of dbt's Jinja that are known to be harmless: they cannot carry the year unseen.

Whatever stands in none of these lists is in doubt, see :mod:`orchestrator.dbt_runner.analysis.expressions`.
"""

from __future__ import annotations

from jinja2 import nodes


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PARSE_TIME_CALLS = frozenset({"ref", "source", "config", "metric", "function"})
"""Calls whose arguments dbt keeps while it parses, and does not look at again."""

DECIDING_CALLS = PARSE_TIME_CALLS | {"store_result", "store_raw_result"}
"""These, and calls that keep what they are handed for ``load_result()``."""

FIXED_NAMES = _words(
    "this execute project_name schema database dbt_version invocation_id run_started_at thread_id sql_now "
    "dbt_metadata_envs selected_resources adapter api exceptions modules validation column env"
)
"""Names that hold the same in every year and have nothing that a template could change, ``modules`` aside."""

SHARED_NAMES = _words(
    "model graph target config load_result caller varargs kwargs sql compiled_code pre_hooks post_hooks "
    "defer_relation source_node context_macro_stack wrapped_sql _dbt_generic_test_kwargs"
)
"""Names that hold the same in every year, but that a template may change for those that read them later."""

OF_COMMANDS = frozenset({"results", "schemas", "database_schemas"})
"""Names that on-run-end sees: what the command has done, which is another thing each year, and made of its nodes."""

READ_BY_PART = frozenset({"target", "env", "model", "adapter"})
"""Names of which a template mostly reads a part that it names."""

HARMLESS_CALLS = _words(
    "return caller log print debug env_var doc range dict zip zip_strict set set_strict namespace cycler lipsum tojson "
    "fromjson toyaml fromyaml local_md5 diff_of_two_dicts load_result write submit_python_job load_agate_table "
    "try_or_compiler_error"
)
"""Functions of dbt and Jinja whose result is made of their arguments alone, and that change none of them."""

CONFIG_READS = _words("get require meta_get meta_require persist_relation_docs persist_column_docs")

MUTATORS = _words("append extend insert update pop popitem remove clear setdefault sort reverse add discard")

READ_ONLY_METHODS = _words(
    # texts
    "capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha isdecimal isdigit "
    "isidentifier islower isnumeric isspace istitle isupper join ljust lower lstrip partition removeprefix "
    "removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase "
    "title upper zfill "
    # lists, sets and dictionaries
    "copy difference get intersection isdisjoint issubset issuperset items keys symmetric_difference union values "
    # dates and numbers
    "astimezone bit_length ctime date is_integer isocalendar isoformat isoweekday strftime time timestamp timetuple "
    "total_seconds utcoffset weekday "
    # dbt's relations and columns
    "can_be_renamed create_from data_type include incorporate information_schema is_float is_number is_numeric "
    "is_string matches quote quote_character quoted render replace_path string_size without_identifier "
    # agate's tables
    "print_csv print_json print_table select where"
)

LAZY_FILTERS = _words("batch items map reject rejectattr reverse select selectattr slice unique")
"""Filters that return an iterator."""

SCALAR_FILTERS = _words(
    "abs as_bool as_native as_number as_text capitalize center count escape float forceescape format indent int "
    "is_list join length lower pprint replace round string striptags title tojson trim truncate upper urlencode "
    "wordcount wordwrap"
)
"""Filters that return a text or a number: no list or dictionary passes through them."""

PLAIN_EXPRESSIONS = (
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Concat,
    nodes.Const,
    nodes.Dict,
    nodes.Filter,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Keyword,
    nodes.List,
    nodes.Pair,
    nodes.Slice,
    nodes.TemplateData,
    nodes.Test,
    nodes.Tuple,
)
"""Expressions whose value is made of the values of their parts."""

SCALARS = (nodes.Compare, nodes.Concat, nodes.Const, nodes.Not, nodes.TemplateData, nodes.Test)
"""Expressions whose value is a text, a number or a truth: nothing that could be changed."""
