"""The English words that steer how a sentence is read, whatever a project is about.

A word that is neither here, nor in the project's own words for the parameter, may change what is meant: it is asked
about, never passed over.
"""

from __future__ import annotations

from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONG_ENOUGH = {"th": 4, "al": 4, "ly": 4, "ion": 4, "ment": 3, "ing": 3, "ed": 3}


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Return what the forms of a word share.

    >>> [stem(word) for word in ("enrolment", "enrolling", "grows", "growth", "policies", "month", "rates")]
    ['enrol', 'enrol', 'grow', 'grow', 'policy', 'month', 'rat']
    """
    found = word.lower().removesuffix("'s").removesuffix("’s")
    if found.endswith("ies") and len(found) > 4:
        found = f"{found[:-3]}y"
    elif found.endswith("s") and not found.endswith(("ss", "us", "is")) and len(found) > 3:
        found = found[:-1]
    for suffix, least in _LONG_ENOUGH.items():
        if found.endswith(suffix) and len(found) - len(suffix) >= least:
            found = found.removesuffix(suffix)
            break
    if len(found) > 2:
        found = found.removesuffix("e")
    return found[:-1] if len(found) > 3 and found[-1] == found[-2] and found[-1] not in "aeious" else found


# Words that say nothing about what is to change.
FILLER = _words(
    """
    a an the this that these those it its i we you they he she our us your their them my me one ones
    is are was be been being am will would shall should can could do does did have has had 's 'd 'll 're i'd i'm we'd
    let let's lets please kindly thanks thank hi hello hey ok okay well so oh um just simply only really actually
    want wants wanted like need needs wish try trying test testing see look know find show think thought
    assume assuming assumed suppose supposing supposed imagine imagining say consider considering expect expected
    simulate simulating run running model modelling modeling project projecting calculate compute scenario simulation
    scenarios simulations projection forecast assumption assumptions parameter parameters variable value values setting
    settings figure number rate rates ratio percentage level levels
    use using used set sets setting put make makes made making change changes changed adjust get gets getting give
    gives go goes going take takes taking have having apply choose pick move switch switches bring
    with at of to for in on by as into from about
    what which where how who there here happens happen happened if whether
    were company firm organization organisation people everyone everybody all every
    annual annually yearly p.a pa yoy per case
    turn turned turns switched
    too also again now time times same new instead
    """
) - _words("if from about new time times for same instead like")  # these are read, or asked about
YEARLY = _words("annually yearly annual p.a pa yoy")
EVALUATION = _words(
    "best worst optimistic pessimistic conservative aggressive slow slower fast faster moderate modest strong steady "
    "weak brisk mild healthy"
)
PER_YEAR = (
    ("per", "year"),
    ("a", "year"),
    ("each", "year"),
    ("every", "year"),
    ("per", "annum"),
    ("year", "on", "year"),
    ("year", "over", "year"),
)
TEMPORAL = _words(
    """
    then afterwards after afterward later thereafter initially first second third last next before during since until
    till gradually eventually finally subsequently once when while year years month months quarter today tomorrow soon
    onwards onward ramp ramping phase phased
    """
)
HEDGES = _words(
    """
    about around roughly approximately approx circa ca ~ ≈ maybe perhaps possibly probably might may likely somewhere
    something least most than over under almost nearly ish > < ≥ ≤ maximum max min minimum up
    """
) - _words("maximum minimum max min up about")
NEGATIONS = _words(
    "no not without don't dont never none neither nor isn't won't doesn't didn't shouldn't can't cannot non"
)
NONE = _words("no without none")
ON = _words("on enable enabled enables activate activated introduce introducing add allow start yes true start")
OFF = _words(
    "off disable disabled disables deactivate deactivated abolish stop stopped end cancel scrap remove removed "
    "eliminate drop suspend suspended false switchoff ditch rid"
)
REMOVE = _words("remove removed eliminate abolish scrap rid ditch waive")
UP = _words(
    """
    raise raises raised raising increase increases increased increasing rise rises rising rose more higher up add lift
    lifts boost boosts above extra additional longer extend lengthen expand expands expanding grow grows growing grew
    older bump climb climbs warmer larger bigger greater
    """
)
DOWN = _words(
    """
    lower lowers lowered lowering reduce reduces reduced reducing cut cuts cutting decrease decreases decreased
    decreasing fall falls falling fell drop drops dropping decline declines declining declined shrink shrinks shrinking
    shrank less fewer down below shorten shorter slash minus contract contracts contracting sink sinks younger cooler
    smaller trim
    """
)
COMPARATIVES = _words(
    """
    more higher above extra additional longer older warmer larger bigger greater
    less fewer lower below shorter younger cooler smaller
    """
)
NOUNS_OF_CHANGE = _words("increase rise decrease fall drop decline reduction cut boost cuts change")
CHANGE = _words(
    """
    grow grows growing grew rise rises rising rose increase increases increasing expand expands expanding climb climbs
    shrink shrinks shrinking shrank fall falls falling fell decline declines declining decrease decreases decreasing
    drop drops dropping contract contracts contracting reduce reduces up down
    """
)
SHRINK = _words("shrink shrinks shrinking shrank")
GROW = _words("grow grows growing grew grown")
FLAT = _words("flat constant stable unchanged same")
AS_MUCH = _words("high low many much large big long strong fast")
KEEP = _words(
    "keep keeps leave leaves stay stays remain remains unchanged untouched alone constant maintain retain hold"
)
KEPT = _words("is as same unchanged untouched alone constant it was usual before be where at")
ALTER = _words("changing touching change touch alter modify adjust move edit")
REST = _words("everything rest else other others anything remaining")
SCALES = {
    "double": 2.0,
    "doubles": 2.0,
    "doubled": 2.0,
    "doubling": 2.0,
    "twice": 2.0,
    "twofold": 2.0,
    "triple": 3.0,
    "triples": 3.0,
    "tripled": 3.0,
    "thrice": 3.0,
    "threefold": 3.0,
    "quadruple": 4.0,
    "halve": 0.5,
    "halves": 0.5,
    "halved": 0.5,
    "halving": 0.5,
    "half": 0.5,
}
PARTS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1}
BASES = _words("base baseline")
REFERENCES = _words("base baseline current currently present today today's usual normal original default now before")
MEASURES = _words("rate ratio percentage share factor multiplier level target period time length duration value number")
CONDITIONS = _words("unless otherwise except provided depending whenever wherever")
CORRECTIONS = _words("no sorry oops rather correction wait actually scratch nope")
ARTICLES = _words("a an the")
GREETINGS = _words(
    "hello hi hey greetings morning afternoon evening good there thanks thank you very much bye ok okay cheers"
)
GUARDED = _words(
    """
    hook hooks storage publish publishes published database databases dbt profile profiles path paths folder folders
    directory file files password passwords secret secrets token credential credentials thread threads url shell command
    environment ledger backup listener listeners stage stages sql
    """
)
