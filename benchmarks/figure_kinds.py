"""Micrograph or not: how often a figure's pixels alone tell, on pictures that can be had here.

Claim: of what is called "sem" or "other", nineteen of twenty are. The set is small and no sample
of papers: real SEM images (GLASSVIEW_REAL_MICROGRAPHS), synthetic micrographs, plots, drawings,
element maps, pages of text, and the photographs that scikit-image, scikit-learn and matplotlib
ship, in colour and in grey. Each source picture is seen as it is, and once altered (scale, crop,
JPEG, contrast). The weights are fitted on even source pictures; figures are quoted on the odd ones,
each source with its variants on one side; two variants are not independent, so that intervals are
rather too narrow. Beside it stands a linear probe on the embedded model's eye, fitted and judged on
the same.

    python -m benchmarks.figure_kinds [--fit] [--list]
"""

from __future__ import annotations

import argparse
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests import compounds
from training.curation import kinds
from training.evaluation.scores import share

Array = np.ndarray[Any, Any]
VARIANTS = 2
PHOTOGRAPHS = """astronaut brick camera cell chelsea clock_motion coffee coins grass gravel horse
    ihc microaneurysms moon motorcycle_left motorcycle_right retina rocket page text
    hubble_deep_field logo color""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Seen:
    """One variant of a source picture, numbered within its group."""

    group: str
    source: str
    number: int
    is_sem: bool
    picture: Array


def sources() -> Iterator[tuple[str, str, bool, Image.Image]]:
    """(group, name, whether it is SEM, picture) of every source."""
    for seed in range(80):
        made = compounds.micrograph(500_000 + seed, 640, 512, databar=seed % 3 == 0)
        yield "synthetic micrograph", str(seed), True, made.convert("RGB")
    real = os.environ.get("GLASSVIEW_REAL_MICROGRAPHS")
    if real:
        from glassllava.micrograph.contrast import to_8bit
        from glassllava.micrograph.reading import grey, read_micrograph

        for path in sorted(Path(real).iterdir()):
            if path.suffix in (".tif", ".png") and not path.name.startswith("odd_"):
                pixels = to_8bit(grey(read_micrograph(path)))
                yield "real SEM or ion image", path.name, True, Image.fromarray(pixels)
    for seed in range(60):
        yield "plot", str(seed), False, compounds.plot(seed, 520, 400)
        yield "drawing", str(seed), False, compounds.drawing(seed, 420, 300)
        if seed < 30:
            yield "element map", str(seed), False, compounds.element_map(seed, 400, 300)
            yield "page of text", str(seed), False, _page(seed)
    for path in photographs():
        with Image.open(path) as opened:
            colours = opened.convert("RGB")
        yield "photograph in colour", path.name, False, colours
        yield "photograph in grey", path.name, False, colours.convert("L")


def photographs() -> list[Path]:
    import matplotlib
    import skimage
    import sklearn

    shipped = Path(skimage.__file__).parent / "data"
    found = [next(shipped.glob(f"{name}.*")) for name in PHOTOGRAPHS]
    found += sorted((Path(sklearn.__file__).parent / "datasets/images").glob("*.jpg"))
    samples = Path(matplotlib.__file__).parent / "mpl-data/sample_data"
    return [*found, samples / "grace_hopper.jpg", samples / "Minduka_Present_Blue_Pack.png"]


def _page(seed: int) -> Image.Image:
    """A scanned page: words on paper that is not quite white, a little turned."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (500, 640), int(rng.integers(225, 256)))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for row in range(30):
        words = rng.choice(["glass", "melt", "pores", "of", "the", "crystal", "and", "shows"], 11)
        pen.text((30, 30 + 19 * row), " ".join(words), 40, font)
    turned = picture.rotate(float(rng.normal(0, 0.6)), fillcolor=240, resample=Image.BICUBIC)
    noisy = np.asarray(turned, float) + rng.normal(0, rng.uniform(0, 4), (640, 500))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def variant(picture: Image.Image, rng: np.random.Generator, number: int) -> Array:
    """The picture as it is, or scaled, cropped, of other contrast, and pressed as JPEG."""
    if number:
        scale = rng.uniform(0.5, 1.0)
        width, height = (max(64, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        left, top = (int(rng.integers(0, side // 6 + 1)) for side in picture.size)
        picture = picture.crop((left, top, width - left // 2, height))
        pixels = np.asarray(picture, float)
        pixels = (pixels - 128) * rng.uniform(0.8, 1.15) + 128 + rng.uniform(-10, 10)
        picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        held = io.BytesIO()
        picture.save(held, "JPEG", quality=int(rng.integers(70, 95)))
        picture = Image.open(held)
    # As a rendered figure: three channels, at most 1200 px.
    picture.thumbnail((1200, 1200))
    return np.asarray(picture.convert("RGB"))


def pictures() -> list[Seen]:
    warnings.simplefilter("ignore")
    found = []
    counts: dict[str, int] = {}
    for group, source, is_sem, picture in sources():
        # Both forms of a photograph are on one side.
        number = counts[group] = counts.get(group, -1) + 1
        rng = np.random.default_rng(number)
        for which in range(VARIANTS):
            seen = variant(picture.copy(), rng, which)
            found.append(Seen(group, source, number, is_sem, seen))
    return found


def main() -> None:
    from sklearn.linear_model import LogisticRegression

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="fit the weights and print them")
    parser.add_argument("--list", action="store_true", help="what was told wrong")
    args = parser.parse_args()
    seen = pictures()
    values = np.array([kinds.properties(each.picture) for each in seen])
    truth = np.array([each.is_sem for each in seen])
    fitted = np.array([each.number % 2 == 0 for each in seen])
    # Each group counts alike, micrographs and others alike.
    groups = np.array([each.group for each in seen])
    weight = np.array([1 / (groups[fitted] == g).sum() for g in groups])
    for side in (True, False):
        weight[truth == side] /= weight[fitted & (truth == side)].sum()
    if args.fit:
        means, spreads = values[fitted].mean(0), values[fitted].std(0)
        model = LogisticRegression(C=5.0, max_iter=1000)
        standard = np.clip((values[fitted] - means) / spreads, -4, 4)
        model.fit(standard, truth[fitted],
                  sample_weight=weight[fitted] * fitted.sum() / 2)  # fmt: skip
        for name, told in (("MEANS", means), ("SPREADS", spreads), ("WEIGHTS", model.coef_[0])):
            print(f"{name} = ({', '.join(f'{x:.4g}' for x in told)})")
        print(f"BIAS = {model.intercept_[0]:.4g}")
        kinds.MEANS, kinds.SPREADS = tuple(means), tuple(spreads)
        kinds.WEIGHTS, kinds.BIAS = tuple(model.coef_[0]), float(model.intercept_[0])
    scores = np.array([kinds.score_of(row) for row in values])
    print("Eleven properties of the pixels:")
    told_of(seen, scores, fitted, args.list)
    eye = embedded_scores(seen, truth, fitted, weight)
    print("\nA linear probe on the embedded eye, fitted on the same:")
    told_of(seen, eye, fitted, False)


def embedded_scores(seen: list[Seen], truth: Array, fitted: Array, weight: Array) -> Array:
    from sklearn.linear_model import LogisticRegression

    from glassllava.model.opening import open_model

    grey = [np.asarray(Image.fromarray(each.picture).convert("L")) for each in seen]
    vectors = open_model("embedded").likeness(grey)
    model = LogisticRegression(C=10, max_iter=2000)
    model.fit(vectors[fitted], truth[fitted], sample_weight=weight[fitted] * fitted.sum() / 2)
    return np.asarray(model.predict_proba(vectors)[:, 1])


def told_of(seen: list[Seen], scores: Array, fitted: Array, listed: bool) -> None:
    held = [
        (each, score) for each, score, used in zip(seen, scores, fitted, strict=True) if not used
    ]
    print("| group (not fitted on) | pictures | sources | right | unsure | wrong |")
    print("|---|---|---|---|---|---|")
    for group in ("all", *dict.fromkeys(each.group for each in seen)):
        rows = [(e, s) for e, s in held if group in ("all", e.group)]
        sure = [(e, s) for e, s in rows if s >= kinds.SEM or s <= kinds.OTHER]
        right = sum((s >= kinds.SEM) == e.is_sem for e, s in sure)
        number = len(rows)
        counts = (right, number - len(sure), len(sure) - right)
        cells = " | ".join(str(share(count, number)) for count in counts)
        print(f"| {group} | {number} | {len({e.source for e, _ in rows})} | {cells} |")
        if listed and group == "all":
            for e, s in sure:
                if (s >= kinds.SEM) != e.is_sem:
                    print("   ", e.group, e.source, f"{s:.2f}")


if __name__ == "__main__":
    main()
