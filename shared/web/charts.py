"""Pictures as SVG, drawn here: no script draws them, and the same numbers stand in a table beside them.

Series differ by their strokes and words, not by colour alone. Colours come from the stylesheet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from shared.web.formats import day as spoken_day
from shared.web.formats import number

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 30
_TICKS = 4

_FRAME = Markup(
    '<figure class="picture"><figcaption>{title}</figcaption>'
    '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-title {id}-desc" '
    'xmlns="http://www.w3.org/2000/svg"><title id="{id}-title">{title}</title><desc id="{id}-desc">{desc}</desc>'
    "{content}</svg></figure>"
)
_LINE = Markup('<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
_TEXT = Markup('<text class="label" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>')
_BAR = Markup('<rect class="bar" x="{x}" y="{y}" width="{width}" height="{height}"/>')
_PATH = Markup('<path class="series {kind}" d="{d}"/>')


@dataclass(frozen=True, slots=True)
class Point:
    """What holds from a day on."""

    day: date
    due: float
    billed: float


def bars(id_: str, title: str, desc: str, values: Sequence[tuple[str, float]]) -> Markup:
    """A bar for each name and value from 0 up."""
    y = _scale(max((value for _, value in values), default=0))
    room = (_WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    parts = [_grid(max((value for _, value in values), default=0), y)]
    for position, (name, value) in enumerate(values):
        x, top = _LEFT + position * room, y(value)
        parts.append(
            _BAR.format(x=_at(x + room * 0.2), y=_at(top), width=_at(room * 0.6), height=_at(_HEIGHT - _BOTTOM - top))
        )
        parts.append(_TEXT.format(x=_at(x + room / 2), y=_HEIGHT - 8, anchor="middle", text=name))
    return _drawn(id_, title, desc, parts)


def steps(id_: str, title: str, desc: str, points: Sequence[Point], until: date) -> Markup:
    """Two lines that hold their value from day to day: what is due (dashed) and what is billed (drawn through).

    There is at least one point. The first day alone is drawn as if it lasted until the next one.
    """
    highest = max(max(point.due, point.billed) for point in points)
    y = _scale(highest)
    first = points[0].day
    until = max(until, first + timedelta(days=1))
    span = (until - first).days

    def x(day: date) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (day - first).days / span

    due = [(x(point.day), y(point.due)) for point in points]
    billed = [(x(point.day), y(point.billed)) for point in points]
    end = x(until)
    parts = [
        _grid(highest, y),
        _PATH.format(kind="billed", d=_stair(billed, end)),
        _PATH.format(kind="due", d=_stair(due, end)),
        _TEXT.format(x=_LEFT, y=_HEIGHT - 8, anchor="start", text=spoken_day(first)),
        _TEXT.format(x=_WIDTH - _RIGHT, y=_HEIGHT - 8, anchor="end", text=spoken_day(until)),
    ]
    return _drawn(id_, title, desc, parts)


def _drawn(id_: str, title: str, desc: str, parts: Sequence[Markup]) -> Markup:
    content = Markup("").join(parts)
    return _FRAME.format(width=_WIDTH, height=_HEIGHT, id=id_, title=title, desc=desc, content=content)


def _scale(highest: float) -> Callable[[float], float]:
    """From a value to its place: 0 at the bottom."""
    top = _round_up(highest)
    return lambda value: _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * max(value, 0) / top


def _round_up(highest: float) -> float:
    """The end of the scale: 1, 2, 4 or 8 with zeros, so that its quarters read well."""
    step = 1.0
    while True:
        for factor in (1, 2, 4, 8):
            if highest <= factor * step:
                return factor * step
        step *= 10


def _grid(highest: float, y: Callable[[float], float]) -> Markup:
    top = _round_up(highest)
    lines = []
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        at = _at(y(value))
        lines.append(_LINE.format(kind="grid", x1=_LEFT, y1=at, x2=_WIDTH - _RIGHT, y2=at))
        lines.append(_TEXT.format(x=_LEFT - 8, y=_at(y(value) + 4), anchor="end", text=number(value)))
    return Markup("").join(lines)


def _stair(places: Sequence[tuple[float, float]], end: float) -> str:
    (x, y), *rest = places
    path = [f"M{_at(x)} {_at(y)}", *(f"H{_at(each_x)}V{_at(each_y)}" for each_x, each_y in rest)]
    return "".join([*path, f"H{_at(end)}"])


def _at(value: float) -> str:
    return f"{value:.1f}"
