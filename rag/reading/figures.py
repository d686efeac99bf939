"""Figures: boxes of images gathered, matched with captions by column and distance.

Knows boxes and captions; what a page looks like is drawn in `plates_of`, with PDFium.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rag.reading.captions import Caption
    from rag.reading.glyphs import Box, Line
    from rag.reading.sheets import Placed, Sheet

#: Panels of one figure stand this near to each other, in points.
_PANELS = 10.0
#: Parts that no caption claims join the figure beside them over this distance.
_PARTS = 45.0
_SMALLEST = 36.0
_FARTHEST = 130.0
_LEAST_PATHS = 5
_MANY = 400
_SQUARE = 20.0


@dataclass(slots=True)
class Cluster:
    """What stands together: the box around it, its images, whether it is drawn."""

    box: Box
    images: list[Placed] = field(default_factory=list)
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A figure on its page as read; `caption` is None where none was found."""

    box: Box
    images: tuple[Placed, ...]
    caption: Caption | None


def logos(sheets: Iterable[Sheet]) -> set[str]:
    """The keys of small images that return from page to page."""
    seen: dict[str, set[int]] = defaultdict(set)
    largest: dict[str, float] = defaultdict(float)
    for sheet in sheets:
        for image in sheet.images:
            seen[image.key].add(sheet.number)
            share = area(image.box) / (sheet.width * sheet.height)
            largest[image.key] = max(largest[image.key], share)
    return {
        key
        for key, pages in seen.items()
        if (len(pages) >= 3 and largest[key] < 0.2) or (len(pages) == 2 and largest[key] < 0.05)
    }


def clusters_of(sheet: Sheet, dropped: set[str]) -> list[Cluster]:
    """The images of a page, gathered where they touch; without logos and what is too small."""
    page = sheet.width * sheet.height
    placed = [
        image
        for image in sheet.images
        # A picture of the whole page under its words is a scan, no figure.
        if image.key not in dropped and not (area(image.box) > 0.85 * page and sheet.lines)
    ]
    gathered = _gathered([Cluster(image.box, [image]) for image in placed], _PANELS, ())
    return [cluster for cluster in gathered if _is_large(cluster.box)]


def drawings_of(sheet: Sheet) -> list[Cluster]:
    """The drawn paths of a page, gathered where they touch."""
    page = sheet.width * sheet.height
    paths = [Cluster(box, drawn=1) for box in sheet.drawings if area(box) < 0.8 * page]
    return [
        cluster
        for cluster in _gathered(_coarse(paths), _PANELS, ())
        if cluster.drawn >= _LEAST_PATHS and _is_large(cluster.box)
    ]


def _with_words(cluster: Cluster, lines: Sequence[Line]) -> Cluster:
    """A drawing with the words and numbers at its axes."""
    box, reach = cluster.box, _grown(cluster.box, 16)
    for line in lines:
        if len(line.text.split()) <= 8 and inside(line.box, reach):
            box = union(box, line.box)
    return Cluster(box, cluster.images, cluster.drawn)


def _coarse(paths: list[Cluster]) -> list[Cluster]:
    """Many small paths gathered by the square they stand in: a cloud of points is one thing."""
    if len(paths) <= _MANY:
        return paths
    squares: dict[tuple[int, int], Cluster] = {}
    found: list[Cluster] = []
    for path in paths:
        left, top, right, bottom = path.box
        if max(right - left, bottom - top) > _SQUARE:
            found.append(path)
            continue
        square = int((left + right) / 2 / _SQUARE), int((top + bottom) / 2 / _SQUARE)
        if square in squares:
            squares[square].box = union(squares[square].box, path.box)
            squares[square].drawn += 1
        else:
            squares[square] = path
    # What is large and too many is hatching or a map: its outline is there in the first.
    return found[:_MANY] + list(squares.values())


def matched(
    sheet: Sheet, images: list[Cluster], drawings: list[Cluster], captions: Sequence[Caption]
) -> list[Match]:
    """The figures of a page from top to bottom, each with its caption where one is near."""
    wanted = [caption for caption in captions if caption.is_figure]
    taken = {id(line) for caption in captions for line in caption.lines}
    prose = [line for line in sheet.lines if id(line) not in taken and len(line.text) > 25]
    clear = [line for caption in captions for line in caption.lines]
    # Panels stand together before captions are dealt out, but never across a caption.
    whole = [part for cluster in images for part in _parted(cluster, captions)]
    pairs = _paired(wanted, whole, prose)
    unmatched = [caption for number, caption in enumerate(wanted) if number not in pairs]
    words = [line for line in sheet.lines if id(line) not in taken]
    free = [
        _with_words(drawing, words)
        for drawing in drawings
        if not any(_overlap(drawing.box, cluster.box) > 0 for cluster in whole)
    ]
    drawn = _paired(unmatched, free, prose)
    found = [(wanted[number], whole[place]) for number, place in pairs.items()]
    left = [cluster for place, cluster in enumerate(whole) if place not in pairs.values()]
    figures = _with_parts(found, left, clear, prose)
    figures += [Match(free[place].box, (), unmatched[number]) for number, place in drawn.items()]
    return sorted(figures, key=lambda figure: (figure.box[1], figure.box[0]))


def _with_parts(
    found: list[tuple[Caption, Cluster]],
    left: list[Cluster],
    captions: Sequence[Line],
    prose: Sequence[Line],
) -> list[Match]:
    """Clusters that no caption claims join the figure beside them; the rest have no caption."""
    grown = [(caption, Cluster(one.box, list(one.images))) for caption, one in found]
    again = True
    while again:
        again = False
        for cluster in list(left):
            for _caption, figure in grown:
                joint = union(figure.box, cluster.box)
                near = max(_apart(figure.box, cluster.box)) <= _PARTS
                others = [other.box for _other, other in grown if other is not figure]
                free = not any(_overlap(joint, box) > 0 for box in others) and not any(
                    _overlap(joint, line.box) > 0.3 * area(line.box) for line in (*captions, *prose)
                )
                if near and free and _aligned(figure.box, cluster.box):
                    figure.box = joint
                    figure.images.extend(cluster.images)
                    left.remove(cluster)
                    again = True
                    break
    matches = [Match(figure.box, tuple(figure.images), caption) for caption, figure in grown]
    return matches + [Match(cluster.box, tuple(cluster.images), None) for cluster in left]


def _aligned(one: Box, other: Box) -> bool:
    """Whether two boxes stand in one row or one column."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0.5 * min(one[2] - one[0], other[2] - other[0]) or down > 0.5 * min(
        one[3] - one[1], other[3] - other[1]
    )


def _parted(cluster: Cluster, captions: Sequence[Caption]) -> list[Cluster]:
    """A cluster in parts where a caption runs through it."""
    within = [c.box for c in captions if _overlap(c.box, cluster.box) > 0.5 * area(c.box)]
    if not within:
        return [cluster]
    return _gathered([Cluster(image.box, [image]) for image in cluster.images], _PANELS, within)


def _paired(
    captions: Sequence[Caption], clusters: Sequence[Cluster], prose: Sequence[Line]
) -> dict[int, int]:
    """{number of a caption: number of its cluster}, with the least distance in all."""
    costs: dict[tuple[int, int], float] = {}
    for number, caption in enumerate(captions):
        for place, cluster in enumerate(clusters):
            cost = _distance(caption.box, cluster.box, prose)
            if cost is not None:
                costs[number, place] = cost
    if len(captions) <= 4 and len(clusters) <= 6:
        return _best(len(captions), len(clusters), costs)
    pairs: dict[int, int] = {}
    for (number, place), _cost in sorted(costs.items(), key=lambda item: item[1]):
        if number not in pairs and place not in pairs.values():
            pairs[number] = place
    return pairs


def _best(captions: int, clusters: int, costs: dict[tuple[int, int], float]) -> dict[int, int]:
    best: tuple[float, dict[int, int]] = (0.0, {})
    # None for a caption without a figure: worth less than any figure within reach.
    places: list[int | None] = [*range(clusters), *([None] * captions)]
    for chosen in set(itertools.permutations(places, captions)):
        pairs = {n: p for n, p in enumerate(chosen) if p is not None}
        if any(pair not in costs for pair in pairs.items()):
            continue
        worth = sum(2 * _FARTHEST - costs[pair] for pair in pairs.items())
        if worth > best[0]:
            best = (worth, pairs)
    return best[1]


def _distance(caption: Box, figure: Box, prose: Sequence[Line]) -> float | None:
    """How far a caption is from a figure, in points and in doubt; None where it cannot be its."""
    across, down = _apart(caption, figure)
    overlap = min(caption[2], figure[2]) - max(caption[0], figure[0])
    narrower = min(caption[2] - caption[0], figure[2] - figure[0])
    if overlap > 0.3 * narrower:
        if down > _FARTHEST:
            return None
        above = caption[3] <= figure[1] + 6
        # Below is the custom: above costs a little.
        cost = down + (12 if above else 0)
    elif across < 30 and down == 0:
        cost = 40 + across  # beside the figure
    else:
        return None
    between = (
        min(caption[0], figure[0]),
        min(caption[3], figure[3]),
        max(caption[2], figure[2]),
        max(caption[1], figure[1]),
    )
    for line in prose:
        if between[1] < between[3] and _overlap(line.box, between) > 0.5 * area(line.box):
            cost += 60
    return cost if cost <= _FARTHEST else None


def _gathered(clusters: list[Cluster], reach: float, walls: Sequence[Box]) -> list[Cluster]:
    found: list[Cluster] = []
    for cluster in sorted(clusters, key=lambda cluster: (cluster.box[1], cluster.box[0])):
        mine = cluster
        joined = True
        while joined:
            joined = False
            for other in found:
                joint = union(mine.box, other.box)
                if max(_apart(mine.box, other.box)) <= reach and not any(
                    _overlap(joint, wall) > 0.5 * area(wall) for wall in walls
                ):
                    mine = Cluster(joint, other.images + mine.images, other.drawn + mine.drawn)
                    found.remove(other)
                    joined = True
                    break
        found.append(mine)
    return found


def _apart(one: Box, other: Box) -> tuple[float, float]:
    """The gaps between two boxes, across and down; 0 where they overlap."""
    return (
        max(0.0, one[0] - other[2], other[0] - one[2]),
        max(0.0, one[1] - other[3], other[1] - one[3]),
    )


def _is_large(box: Box) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= _SMALLEST


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def union(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _overlap(one: Box, other: Box) -> float:
    return area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def inside(box: Box, other: Box) -> bool:
    """Whether most of `box` lies in `other`."""
    return _overlap(box, other) > 0.6 * area(box)
