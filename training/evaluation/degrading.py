"""Whether confidence falls when the evidence does: a model asked about pictures made worse.

Blur, a small part, less contrast under the same noise, fewer pixels, each in strengths; how sure
the verdict is, and how probable the features that are truly there. At level moderate, since its
words stay the same while the picture gets worse. Knows no training.

What is asked of a part is asked of its features still: of a small one some may have gone, so that
for parts the falling of their probability is right, and its staying is not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.sample import ContextLevel
from training.evaluation import scores

if TYPE_CHECKING:
    from glassllava.model.backend import VisionModel
    from training.evaluation.cases import Case

Array = np.ndarray[Any, Any]
LEVEL: ContextLevel = "moderate"
#: Grey levels of noise that every step of contrast gets: a detector's, whatever it looks at.
_NOISE = 8.0
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of degradation at one strength; strengths grow, and 0 is the picture as it was."""

    kind: str
    strength: float


#: Gaussian blur (standard deviation in px of the file); the share of each side that is cut off;
#: the share of contrast that is lost under noise; how many times fewer pixels a side.
STEPS = (
    Step("as it was", 0),
    *(Step("blur", sigma) for sigma in (1, 2, 4, 8, 16, 32)),
    *(Step("crop", lost) for lost in (0.5, 0.75, 0.875)),
    *(Step("contrast", lost) for lost in (0.5, 0.8, 0.95)),
    *(Step("pixels", fewer) for fewer in (2, 4, 8, 16)),
)


def degraded(grey: Array, step: Step, seed: int = 0) -> Array:
    """`grey` (H, W), 8 bits, made worse; the same size, but for a part.

    Raises
    ------
    ValueError : for a kind that is none.
    """
    from PIL import Image
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    height, width = grey.shape
    if step.strength == 0:
        return grey
    if step.kind == "blur":
        worse = ndimage.gaussian_filter(grey.astype(np.float64), step.strength)
    elif step.kind == "crop":
        rows, columns = (max(16, round(side * (1 - step.strength))) for side in grey.shape)
        top, left = (
            int(rng.integers(side - part + 1)) for side, part in ((height, rows), (width, columns))
        )
        return grey[top : top + rows, left : left + columns]
    elif step.kind == "contrast":
        middle = float(grey.mean())
        worse = middle + (grey - middle) * (1 - step.strength) + rng.normal(0, _NOISE, grey.shape)
    elif step.kind == "pixels":
        size = (max(1, round(width / step.strength)), max(1, round(height / step.strength)))
        few = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
        return np.asarray(few.resize((width, height), Image.Resampling.BILINEAR))
    else:
        raise ValueError(f"'{step.kind}' is no degradation")
    return np.clip(np.rint(worse), 0, 255).astype(np.uint8)


def asked(
    model: VisionModel, cases: Sequence[Case], folder: Path, steps: Sequence[Step] = STEPS
) -> dict[Step, Array]:
    """(N, 2) of each step: max(p, 1 - p) of the verdict, and the mean probability of true probes.

    Not a number where a case has no probe that is true, or the model tells no probability.

    Raises
    ------
    UnreadableMicrograph, ModelUnavailable : as reading and asking do.
    """
    from tqdm import tqdm

    from glassllava import interpreter
    from glassllava.literature import NoLiterature
    from glassllava.measurement import Measurements
    from glassllava.micrograph.reading import read_micrograph, specimen, to_8bit

    folder.mkdir(parents=True, exist_ok=True)
    told: dict[Step, list[tuple[float, float]]] = {step: [] for step in steps}
    enquiries, whose = [], []
    with tqdm(total=len(cases) * len(steps), desc="degraded", disable=None) as bar:
        for number, case in enumerate(cases):
            micrograph = read_micrograph(case.image, with_hash=False)
            grey = to_8bit(specimen(micrograph))
            for step in steps:
                picture = degraded(grey, step, seed=number)
                path = _written(folder / f"{case.id}-{step.kind}-{step.strength:g}.png", picture)
                worse = replace(
                    micrograph,
                    path=path,
                    page=0,
                    height=picture.shape[0],
                    width=picture.shape[1],
                    bit_depth=8,
                    samples=1,
                    databar=None,
                    pages=(),
                )
                enquiry = interpreter.prepare(
                    worse,
                    case.sample,
                    "",
                    LEVEL,
                    literature=NoLiterature(),
                    probe_keys=model.probe_keys,
                    passage_budget=model.passage_budget,
                    measurements=Measurements(),
                    want_text=False,
                )
                enquiries.append(enquiry)
                whose.append((step, case))
            if len(enquiries) >= _BATCH * len(steps) or case is cases[-1]:
                for first in range(0, len(enquiries), _BATCH):
                    part = slice(first, first + _BATCH)
                    replies = model.reply(enquiries[part])
                    for enquiry, reply, (step, of) in zip(
                        enquiries[part], replies, whose[part], strict=True
                    ):
                        record = interpreter.conclude(enquiry, reply, calibration=model.calibration)
                        told[step].append(_figures(record, of))
                        enquiry.micrograph.path.unlink()
                    bar.update(len(replies))
                enquiries, whose = [], []
    return {step: np.array(rows) for step, rows in told.items()}


def _written(path: Path, picture: Array) -> Path:
    from PIL import Image

    Image.fromarray(picture).save(path)
    return path


def _figures(record: Any, case: Case) -> tuple[float, float]:
    p = record.model_verdict.probability
    there = [
        finding.probability
        for finding in record.findings
        if finding.feature in (case.present or ()) and finding.probability is not None
    ]
    sure = float("nan") if p is None else max(p, 1 - p)
    return sure, float(np.mean(there)) if there else float("nan")


def figures(told: Mapping[Step, Array]) -> dict[str, Any]:
    """Means with 95 % intervals by step, and how much less than of the picture as it was, paired.

    JSON: `steps` of `{kind, strength, confidence, fall, true_probes, true_probes_fall}`, each
    figure value, low, high, or null where nothing is known; cases are drawn anew.
    """
    first = next(rows for step, rows in told.items() if step.strength == 0)
    steps = []
    for step, rows in told.items():
        row: dict[str, Any] = {"kind": step.kind, "strength": step.strength}
        for column, name in ((0, "confidence"), (1, "true_probes")):
            row[name] = _mean(rows[:, column])
            fall = "fall" if column == 0 else "true_probes_fall"
            row[fall] = _mean(first[:, column] - rows[:, column])
        steps.append(row)
    return {"level": LEVEL, "cases": len(first), "steps": steps}


def _mean(values: Array) -> list[float] | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    draw: Callable[[Array], float] = lambda rows: float(known[rows].mean())  # noqa: E731
    return scores.bootstrap(draw, len(known)).to_json()


def page(made: Mapping[str, Any]) -> str:
    """The figures as a table."""
    lines = [
        f"{made['cases']} synthetic micrographs at context {made['level']}; [95 % intervals], "
        "cases drawn anew. Falls are paired with the picture as it was.",
        "",
        "| degradation | strength | confidence of the verdict | fall | features that are there "
        "| fall |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in made["steps"]:
        cells = [row[k] for k in ("confidence", "fall", "true_probes", "true_probes_fall")]
        told = ["–" if c is None else f"{c[0]:.3f} [{c[1]:.3f}, {c[2]:.3f}]" for c in cells]
        lines.append(f"| {row['kind']} | {row['strength']:g} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


_EXAMPLES = """\
examples:
  python -m training.evaluation.degrading --model embedded -n 60
  python -m training.evaluation.degrading --model my-checkpoint --look wide -n 100 --json
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.degrading",
        description="How sure a model is of micrographs made worse: blurred, cut, of less "
        "contrast, of fewer pixels.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="embedded", metavar="REF", help="model reference")
    parser.add_argument("-n", "--number", type=int, default=60, help="micrographs (default 60)")
    parser.add_argument(
        "--look", choices=("plain", "wide"), default="plain", help="which synthetic micrographs"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that paint")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args(arguments)
    if args.number < 1:
        parser.error("at least one micrograph is wanted")

    from training.evaluation.ending import ending

    return ending(lambda: _run(args), as_json=args.json, cut="nothing was kept.")


def _run(args: argparse.Namespace) -> int:
    from glassllava.model.opening import open_model
    from training.evaluation.synthetic import synthetic_cases

    with tempfile.TemporaryDirectory() as folder:
        cases = synthetic_cases(args.number, Path(folder), args.workers, look=args.look)
        made = figures(asked(open_model(args.model), cases, Path(folder) / "worse"))
    made = {"model": args.model, "look": args.look, **made}
    print(json.dumps(made, indent=2, allow_nan=False) if args.json else page(made), end="")
    if args.json:
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
