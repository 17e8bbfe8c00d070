"""Charts as inline SVG with their data table: coloured by classes, for the strict policy and for print."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

register = template.Library()

WIDTH, HEIGHT, BASE = 720, 160, 140  # drawing units; the width on the page is the stylesheet's
MOST = 400


@register.inclusion_tag("charts/bars.html")
def bars(rows: Sequence[tuple[str, Mapping[str, int]]], title: str, unit: str) -> dict[str, Any]:
    """Bars of (label, {series: count}); the first series is drawn behind the others, `unit` stands in the table."""
    shown = rows[:MOST]
    series = list(shown[0][1]) if shown else []
    top = max((max(values.values(), default=0) for _, values in shown), default=0)
    room = WIDTH / max(len(shown), 1)
    drawn = [
        {
            "series": number,
            "x": round(place * room, 2),
            "width": round(max(room * 0.8, 0.5), 2),
            "height": round(BASE * count / top, 2) if top else 0,
            "y": round(HEIGHT - (BASE * count / top if top else 0), 2),
            "title": f"{label}: {count:,} {name}",
        }
        for place, (label, values) in enumerate(shown)
        for number, (name, count) in enumerate(values.items(), start=1)
    ]
    return {
        "title": title,
        "unit": unit,
        "series": series,
        "top": top,
        "bars": drawn,
        "rows": [(label, list(values.values())) for label, values in shown],
        "width": WIDTH,
        "height": HEIGHT,
        "first": shown[0][0] if shown else "",
        "last": shown[-1][0] if shown else "",
    }
