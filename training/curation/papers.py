"""Papers to figures: each with its caption, the paragraphs that mention it, origin and licence.

    gather(paths, work, *, model="embedded", seed=0, shares=SHARES, told=None, log=None) -> Gathered

reads papers as `rag.reading` does and writes WORK/figures.jsonl and WORK/images/*.png. What one
paper gave is kept in WORK/papers, so that a cut run goes on and nothing is read twice. Knows no
question and no server.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassllava.errors import BadInput, GlassError, RunUnavailable
from training.curation.duplicates import find_same, look
from training.curation.figure import FIGURES, Figure, read_figures, write_figures
from training.curation.finding import figures_of
from training.curation.pictures import read_picture
from training.curation.splits import SHARES, checked_shares, deal, groups_of
from training.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rag.reading import Bibliography

#: Raised when a paper would be cut or described otherwise: it is read again then.
_VERSION = 1
_PAPERS = "papers"
#: Figures that are embedded for the dealing out of splits, a cluster at least.
_FIGURES_A_CLUSTER = 12
_MOST_CLUSTERS = 8


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a gathering gave: counts, and every paper that failed with its reason.

    `failed` and `passed_over` are pairs (path, why); `splits` counts figures of each split that are
    no duplicates; `notes` are sentences for the person.
    """

    papers: int
    figures: int
    sem: int
    unsure: int
    duplicates: int
    splits: Mapping[str, int]
    failed: tuple[tuple[str, str], ...]
    passed_over: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def gather(
    paths: Sequence[Path],
    work: Path,
    *,
    model: str = "embedded",
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
    told: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> Gathered:
    """Read the papers under `paths` into WORK/figures.jsonl and WORK/images; the same call resumes.

    `told` is called with (papers done, of all), `log` with sentences. A paper that fails is listed
    in the answer, and the rest goes on: a command exits 1 where `failed` is not empty. Papers that
    WORK/figures.jsonl has given a split keep it, whatever the seed: without that file all are
    dealt out anew.

    Raises
    ------
    BadInput : for a path that is not there, shares that are none, a folder that cannot be written.
    """
    from rag.reading import find_documents, read_bibliographies

    shares = checked_shares(shares)
    found = find_documents(paths)
    if not found.files:
        raise BadInput(
            "There is no paper under the paths that were named",
            where=paths[0] if paths else "",
            remedy="Name PDF, JATS or HTML files, or the folder that holds them.",
        )
    records = read_bibliographies(found.bibliographies)
    _make(work)
    failed: list[tuple[str, str]] = []
    notes: list[str] = list(records.notes)
    figures: list[Figure] = []
    seen: dict[str, Path] = {}
    say = log or (lambda _line: None)
    for number, path in enumerate(found.files):
        try:
            digest = _digest(path)
            if digest in seen:
                notes.append(f"{path.name} has the same bytes as {seen[digest].name}")
            else:
                seen[digest] = path
                mine, told_of = _of_paper(path, digest, records, work)
                figures += mine
                notes += [f"{path.name}: {note}" for note in told_of]
        except RunUnavailable:
            raise  # of the work folder, which is every paper's
        except GlassError as error:
            failed.append((str(path), _why(error)))
            say(f"{path.name}: {_why(error)}")
        if told:
            told(number + 1, len(found.files))
    known = {f.paper: f.split for f in read_figures(work)} if (work / FIGURES).exists() else {}
    figures, same = _folded(figures, work)
    groups = groups_of(figures, same)
    clusters = _clusters(figures, work, model, seed)
    splits = deal(figures, groups, clusters=clusters, shares=shares, seed=seed, known=known)
    figures = [dataclasses.replace(figure, split=splits[figure.paper]) for figure in figures]
    moved = sorted({f.paper for f in figures if known.get(f.paper, f.split) != f.split})
    notes += [f"{paper} moved to another split: it shares a picture or work" for paper in moved]
    write_figures(work, figures)
    own = [figure for figure in figures if not figure.duplicate_of]
    kinds = Counter(figure.kind for figure in own)
    counts = Counter(figure.split for figure in own if figure.kind != "other")
    return Gathered(
        papers=len(seen) - len(failed),
        figures=len(figures),
        sem=kinds["sem"],
        unsure=kinds["unsure"],
        duplicates=len(figures) - len(own),
        splits={name: counts[name] for name in shares},
        failed=tuple(failed),
        passed_over=tuple((str(path), why) for path, why in found.passed_over),
        notes=tuple(notes),
    )


def _of_paper(
    path: Path, digest: str, records: Bibliography, work: Path
) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """The figures of one paper: as they are kept, else read."""
    from rag.reading import read_document

    # What a bibliography says of the paper is in its figures too.
    record = records.record_for(path, None, "")
    told = [_VERSION, digest, dataclasses.asdict(record) if record else None, len(records.records)]
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]
    kept = work / _PAPERS / f"{key}.json"
    if (known := _kept(kept, work)) is not None:
        return known
    figures, notes = figures_of(read_document(path, records), work)
    data = {"path": str(path), "figures": [f.to_json() for f in figures], "notes": list(notes)}
    write_whole(kept, json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8"))
    return figures, notes


def _kept(path: Path, work: Path) -> tuple[tuple[Figure, ...], tuple[str, ...]] | None:
    """What an earlier run kept of a paper; None where it or one of its pictures is not whole."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        figures = tuple(Figure.from_json(each, path) for each in data["figures"])
        for figure in figures:
            picture = (work / figure.image).read_bytes()
            if hashlib.sha256(picture).hexdigest() != figure.sha256:
                return None
        return figures, tuple(str(note) for note in data["notes"])
    except (OSError, ValueError, KeyError, TypeError, BadInput):
        return None  # read again


def _folded(
    figures: Sequence[Figure], work: Path
) -> tuple[list[Figure], tuple[tuple[str, str], ...]]:
    """The figures, each that repeats an earlier one saying so; and the pairs that are the same."""
    pairs = find_same([look(read_picture(work / figure.image)) for figure in figures])
    first: dict[int, int] = {}
    for pair in pairs:  # sorted: the earlier is settled first
        first.setdefault(pair.other, first.get(pair.one, pair.one))
    folded = [
        dataclasses.replace(f, duplicate_of=figures[first[n]].id if n in first else "")
        for n, f in enumerate(figures)
    ]
    return folded, tuple((figures[p.one].id, figures[p.other].id) for p in pairs)


def _clusters(
    figures: Sequence[Figure], work: Path, model: str, seed: int
) -> dict[str, int] | None:
    """Which micrographs look alike, by the model's eye; None where there are too few to tell."""
    from training.exploration import cluster, embed

    looked = [f for f in figures if not f.duplicate_of and f.kind != "other"]
    number = min(_MOST_CLUSTERS, len(looked) // _FIGURES_A_CLUSTER)
    if number < 2:
        return None
    labels = cluster(embed(looked, work, model), number, seed)
    return {f.id: int(label) for f, label in zip(looked, labels, strict=True)}


def _make(work: Path) -> None:
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunUnavailable(
            f"The work folder cannot be made ({error.strerror})",
            where=work,
            remedy="Name another folder with --work.",
        ) from error


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"The file cannot be read ({error.strerror})", where=path) from error


def _why(error: GlassError) -> str:
    return f"{error.what}. {error.remedy}".strip()
