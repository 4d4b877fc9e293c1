# A benchmark's ratios as a bar chart in SVG, written by hand: needs no library.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from html import escape
from typing import Any

# Told apart by lightness too, so they survive print and colour blindness.
_COLOURS = ("#9aa5b1", "#0b6e99", "#e0a030", "#5b3a8c", "#3f8f5f")
_BAR, _GAP, _LABEL, _PLOT, _RIGHT = 16, 12, 190, 520, 70


def _step(longest: float) -> float:
    """The distance of the grid's lines, so that there are four to ten."""
    for step in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0):
        if longest / step <= 8:
            return step
    return 50.0


def svg(result: dict[str, Any]) -> str:
    """The chart: one group of bars a row, one bar a set-up, 1 = the first."""
    first, *rivals = [setup["name"] for setup in result["setups"]]
    rivals = rivals or [first]
    rows = result["rows"]
    ratios = [row["results"][name]["ratio"] for row in rows for name in rivals]
    longest = max([*ratios, 1.0])
    step = _step(longest)
    scale = _PLOT / (step * (int(longest / step) + 1))
    group = len(rivals) * _BAR + _GAP
    top = 66
    bottom = top + len(rows) * group
    width, height = _LABEL + _PLOT + _RIGHT, bottom + 34
    title = f"Times as fast as {first} (longer is better)"
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = 'font-family="sans-serif" font-size="12" fill="#222"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {font}>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    x = 12.0
    for n, name in enumerate(rivals):
        versions = {s["name"]: s["mercurial"] for s in result["setups"]}
        label = f"{name} (Mercurial {versions[name]})"
        out.append(
            f'<rect x="{x}" y="34" width="12" height="12" fill="{_colour(n)}"/>'
            f'<text x="{x + 17}" y="44">{escape(label)}</text>'
        )
        x += 40 + 6.8 * len(label)
    n = 0
    while n * step * scale <= _PLOT + 0.01:
        at = _LABEL + n * step * scale
        line = "#444" if n * step == 1 else "#ddd"
        out.append(
            f'<line x1="{at:.1f}" y1="{top - 6}" x2="{at:.1f}" y2="{bottom}" '
            f'stroke="{line}"/><text x="{at:.1f}" y="{bottom + 18}" '
            f'text-anchor="middle">{n * step:g}</text>'
        )
        n += 1
    for r, row in enumerate(rows):
        y = top + r * group
        middle = y + len(rivals) * _BAR / 2 + 4
        out.append(
            f'<text x="{_LABEL - 8}" y="{middle:.1f}" text-anchor="end">'
            f"{escape(row['name'])}</text>"
        )
        for n, name in enumerate(rivals):
            ratio = row["results"][name]["ratio"]
            long = ratio * scale
            out.append(
                f'<rect x="{_LABEL}" y="{y + n * _BAR}" width="{long:.1f}" '
                f'height="{_BAR - 2}" fill="{_colour(n)}"/>'
                f'<text x="{_LABEL + long + 5:.1f}" y="{y + n * _BAR + 11}">'
                f"{ratio:.2f}</text>"
            )
    return "\n".join([*out, "</svg>", ""])


def _colour(n: int) -> str:
    return _COLOURS[n % len(_COLOURS)]
