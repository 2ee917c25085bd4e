"""Parts of a simulation in which the year decides what dbt keeps of a parse: other knobs are in ``knobs.py``."""

from __future__ import annotations

from tests.doubts.knobs import Knobs, Part, Project

FIRST = {"number": "var('year') == 2000", "text": "var('year') ~ '' == '2000'", "list": "var('year') in [2000, 1]"}
WHEN = {"second": "var('year') > 2000", "last": "var('year') == 2002", "even": "var('year') is even"}


def _branch(project: Project, knobs: Knobs) -> None:
    project.files["seeds/early.csv"], project.files["seeds/late.csv"] = "v\n1\n", f"v\n{knobs['late']}\n"
    first = FIRST[knobs["test"]]
    whole = f"{{% if {first} %}}{{{{ ref('early') }}}}{{% else %}}{{{{ ref('late') }}}}{{% endif %}}"
    read = {
        "if": whole,
        "choice": f"{{{{ ref('early') if {first} else ref('late') }}}}",
        "macro": "{{ of_the_year() }}",
    }
    project.files["macros/of_the_year.sql"] = f"{{% macro of_the_year() %}}{whole}{{% endmacro %}}"
    project.model("branched", f"select v from {read[knobs['by']]}")


def _later(project: Project, knobs: Knobs) -> None:
    when = WHEN[knobs["when"]]
    text = f"{{{{ {when} }}}}" if knobs["by"] == "enabled" else f"{{{{ 'lately' if {when} else 'at_first' }}}}"
    project.model("built_later", f"select {knobs['a']} as a")
    project.models.append(f'  - {{name: built_later, config: {{{knobs["by"]}: "{text}"}}}}')
    project.model("always_built", "select 1 as a")


BRANCHES = (
    Part(
        "branch",
        {"late": ("2", "3"), "test": ("number", "text", "list"), "by": ("if", "choice", "macro")},
        _branch,
        years=True,
    ),
    Part(
        "later model",
        {"when": ("second", "last", "even"), "by": ("enabled", "alias"), "a": ("1", "2")},
        _later,
        years=True,
    ),
)
