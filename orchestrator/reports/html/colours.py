"""The colours of a report, in light and in dark; a drawing has those of light, and the page replaces them in dark."""

from __future__ import annotations

INK, SOFT, GRID, PAPER = "#1c2328", "#57626b", "#dfe4e8", "#ffffff"
SIDES = ("#0b6e99", "#a1501c", "#1e6b3a", "#7a3e9d", "#b3261e", "#5b6770", "#8a6d00", "#00796b")
DASHES = ((1, 0), (6, 3), (2, 2))
IN_DARK = {
    INK: "#e4e9ec",
    SOFT: "#a3afb7",
    GRID: "#333d45",
    PAPER: "#1b2126",
    **dict(
        zip(
            SIDES,
            ("#5db8dc", "#eda06f", "#7fd29b", "#c79be8", "#ff9e94", "#aab6be", "#e0c35c", "#5fd0c0"),
            strict=True,
        )
    ),
}


def look(place: int) -> tuple[str, tuple[int, int]]:
    """Return colour and dashes of a side; no two of the first 24 are alike.

    >>> look(0), look(9)
    (('#0b6e99', (1, 0)), ('#a1501c', (6, 3)))
    """
    turn, colour = divmod(place, len(SIDES))
    return SIDES[colour], DASHES[turn % len(DASHES)]


def dark_rules(selector: str) -> str:
    """Return the rules of CSS that give drawings their colours in dark."""
    rules = [
        f'{selector} [{name}="{light}"] {{ {name}: {dark}; }}'
        for light, dark in IN_DARK.items()
        for name in ("fill", "stroke")
    ]
    return "\n".join(rules)
