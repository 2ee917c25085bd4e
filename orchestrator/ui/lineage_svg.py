"""The lineage of a project as SVG, made on the server: layers from left to right, each in the order of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from markupsafe import Markup

from orchestrator.core.text import escaped
from orchestrator.reports.lineage import Lineage, LineageNode
from orchestrator.ui.rendering import MARKS

BOX_WIDTH, BOX_HEIGHT = 196, 38
GAP_X, GAP_Y = 56, 12
MARGIN = 14
MOST_LETTERS = 27
ROUNDS = 6  # of moving each node towards what it is connected with


def lineage_svg(lineage: Lineage, chosen: str | None, scenario: str | None) -> Markup:
    """Draw the nodes as boxes and what they are built from as curves; ``chosen`` is the unique id to point out."""
    places = _places(lineage.nodes)
    width = MARGIN * 2 + max((x for x, _ in places.values()), default=0) + BOX_WIDTH
    height = MARGIN * 2 + max((y for _, y in places.values()), default=0) + BOX_HEIGHT
    parts = [Markup('<svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">').format(width, height)]
    for node in lineage.nodes:
        for parent in node.parents:
            if parent in places:
                on = chosen in (node.unique_id, parent)
                parts.append(_edge(places[parent], places[node.unique_id], on=on))
    end = f"&scenario={quote(scenario)}" if scenario else ""
    parts += [_box(node, places[node.unique_id], node.unique_id == chosen, end) for node in lineage.nodes]
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _box(node: LineageNode, place: tuple[int, int], is_chosen: bool, end: str) -> Markup:  # noqa: FBT001
    x, y = place[0] + MARGIN, place[1] + MARGIN
    name = escaped(node.name)
    shown = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
    sign = MARKS.get(node.state, "–")
    return Markup(
        '<a href="/project?node={}{}#node" tabindex="-1" class="{}{}"><title>{}, {}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6"/><text x="{}" y="{}">{}</text>'
        '<text class="sign" x="{}" y="{}">{} {}</text><text class="layer" x="{}" y="{}" text-anchor="end">{}</text></a>'
    ).format(
        quote(node.unique_id),
        end,
        node.state.replace(" ", "-"),
        " chosen" if is_chosen else "",
        name,
        node.state,
        x,
        y,
        BOX_WIDTH,
        BOX_HEIGHT,
        x + 9,
        y + 16,
        shown,
        x + 9,
        y + 31,
        sign,
        node.state,
        x + BOX_WIDTH - 9,
        y + 31,
        escaped(node.group)[:18],
    )


def _edge(start: tuple[int, int], end: tuple[int, int], *, on: bool) -> Markup:
    x1, y1 = start[0] + MARGIN + BOX_WIDTH, start[1] + MARGIN + BOX_HEIGHT // 2
    x2, y2 = end[0] + MARGIN, end[1] + MARGIN + BOX_HEIGHT // 2
    bend = (x2 - x1) // 2 if x2 > x1 else GAP_X
    return Markup('<path class="edge{}" d="M{} {}C{} {} {} {} {} {}"/>').format(
        " on" if on else "", x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2
    )


def _places(nodes: Sequence[LineageNode]) -> dict[str, tuple[int, int]]:
    """Return the corner of each box: its layer decides how far to the right, its neighbours how far down."""
    layers: dict[int, list[LineageNode]] = {}
    for node in nodes:
        layers.setdefault(node.layer, []).append(node)
    for members in layers.values():
        members.sort(key=lambda node: (node.group, node.name))
    rows = {node.unique_id: float(row) for members in layers.values() for row, node in enumerate(members)}
    for number in range(ROUNDS):
        for layer in sorted(layers, reverse=number % 2 == 1):
            members = layers[layer]
            middle = {node.unique_id: _middle(node, rows) for node in members}
            members.sort(key=lambda node, middle=middle: middle[node.unique_id])  # type: ignore[misc]
            rows |= _spread([middle[node.unique_id] for node in members], members)
    least = min(rows.values(), default=0.0)
    step = BOX_HEIGHT + GAP_Y
    return {
        node.unique_id: (node.layer * (BOX_WIDTH + GAP_X), round((rows[node.unique_id] - least) * step))
        for node in nodes
    }


def _middle(node: LineageNode, rows: Mapping[str, float]) -> float:
    near = [rows[one] for one in (*node.parents, *node.children) if one in rows]
    return sum(near) / len(near) if near else rows[node.unique_id]


def _spread(wanted: Sequence[float], members: Sequence[LineageNode]) -> dict[str, float]:
    """Give each its wanted row, as near as the others let it, one row apart."""
    found: list[float] = []
    for row in wanted:
        found.append(max(row, found[-1] + 1) if found else row)
    shift = sum(a - b for a, b in zip(found, wanted, strict=True)) / len(found) if found else 0.0
    return {node.unique_id: row - shift for node, row in zip(members, found, strict=True)}
