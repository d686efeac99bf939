"""What else could be learned from the same synthetic micrographs, and what needs no learning.

    linear probe   logistic regression on what frozen ImageNet features say of the whole picture
    forest         a random forest on texture features
    size           logistic regression on width, height and bits: what is given away before looking

The first two are fitted on the training split that the model learned from (a folder as
`training.embedded.dataset` writes it), with thresholds from rows that a fit had not seen; the
third on the real micrographs, one specimen left out in turn. Knows no real micrograph's content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassllava.errors import BadInput
from glassllava.micrograph.reading import read_micrograph, specimen, to_8bit
from training.evaluation import scores
from training.evaluation.transfer import textures
from training.evaluation.transfer.pictures import Real

if TYPE_CHECKING:
    from training.evaluation.transfer.imagenet import Frozen

Array = np.ndarray[Any, Any]
_FOLDS = 5
_STRENGTHS = (1e-4, 1e-3, 1e-2)  # C of the linear probe, the best on rows left out is taken
_TREES = 400


@dataclass(frozen=True)
class Learned:
    """A fitted baseline: features (N, F) to probabilities (N, K), and the thresholds (K,)."""

    name: str
    probability: Callable[[Array], Array]
    thresholds: Array


@dataclass(frozen=True)
class Synthetic:
    """The training split of a folder of data: its pictures, and (N, K) which keys are there."""

    files: tuple[Path, ...]
    there: Array
    early: tuple[Path, ...]

    @property
    def mark(self) -> str:
        """Which pictures these are, for what is kept of them."""
        total = hashlib.sha256()
        for path in self.files:
            total.update(f"{path.name} {path.stat().st_size}\n".encode())
        return total.hexdigest()[:16]


def read_synthetic(folder: Path, keys: Sequence[str], limit: int | None = None) -> Synthetic:
    """The training micrographs of `folder`, in their order.

    Raises
    ------
    BadInput : where there are none, or a picture is missing.
    """
    chunks = sorted(folder.glob("train-*.jsonl"))
    records = [
        json.loads(line) for path in chunks for line in path.read_text("utf-8").splitlines()
    ][:limit]
    files = tuple(folder / "micrographs" / "train" / f"{r['seed']}.tif" for r in records)
    gone = [path for path in files if not path.is_file()]
    if not files or gone:
        raise BadInput(
            "The training pictures are not there",
            where=gone[0] if gone else folder,
            remedy="Give the folder of data of a training run: train-*.jsonl and micrographs/.",
        )
    there = np.array([[key in r["present"] for key in keys] for r in records], bool)
    early = tuple(path.with_suffix(".npy") for path in chunks)
    return Synthetic(files, there, early)


def texture_features(synthetic: Synthetic, folder: Path) -> Array:
    """(N, F), kept in `folder`."""
    from training.bars import bar

    def work() -> Array:
        rows = []
        with bar("textures of the training pictures") as told:
            for number, path in enumerate(synthetic.files, start=1):
                rows.append(textures.features(seen(path)))
                told(number, len(synthetic.files))
        return np.stack(rows)

    return kept(folder / f"textures-{synthetic.mark}-{textures.VERSION}.npy", work)


def frozen_features(synthetic: Synthetic, frozen: Frozen, folder: Path) -> Array:
    """(N, F) of the training pictures, kept in `folder`."""
    from training.bars import bar

    def work() -> Array:
        rows: list[Array] = []
        with bar("ImageNet features of the training pictures") as told:
            for path in synthetic.files:
                rows.append(frozen.features([seen(path)])[0])
                told(len(rows), len(synthetic.files))
        return np.stack(rows)

    return kept(folder / f"imagenet-{synthetic.mark}-{frozen.side}.npy", work)


def seen(path: Path) -> Array:
    """The specimen of a file, 8 bits, as a model is shown it."""
    return to_8bit(specimen(read_micrograph(path, with_hash=False)))


def kept(path: Path, work: Callable[[], Array]) -> Array:
    """What `work` gives, from `path` where it was done before."""
    if path.exists():
        return np.asarray(np.load(path, allow_pickle=False))
    made = work()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, made)
    part.replace(path)
    return made


def linear_probe(features: Array, there: Array) -> Learned:
    """Logistic regression, one a label, on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    models: list[Any] = []
    thresholds = []
    for column in there.T.astype(int):
        if not _is_learnable(column):
            models.append(None)
            thresholds.append(0.5)
            continue
        best: tuple[float, Any, Array] | None = None
        for strength in _STRENGTHS:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
            said = cross_val_predict(model, features, column, cv=folds, method="predict_proba")
            precision = scores.average_precision(said[:, 1], column)
            if best is None or precision > best[0]:
                best = (precision, model, said[:, 1])
        assert best is not None
        models.append(best[1].fit(features, column))
        thresholds.append(scores.best_f1_threshold(best[2], column))
    return Learned("linear probe on ImageNet features", partial(_say, models), np.array(thresholds))


def forest(features: Array, there: Array) -> Learned:
    """A random forest a label; thresholds from the rows that each tree had not drawn."""
    from sklearn.ensemble import RandomForestClassifier

    models: list[Any] = []
    thresholds = []
    for column in there.T.astype(int):
        if not _is_learnable(column):
            models.append(None)
            thresholds.append(0.5)
            continue
        model = RandomForestClassifier(
            _TREES, min_samples_leaf=2, oob_score=True, n_jobs=1, random_state=0
        )
        model.fit(features, column)
        models.append(model)
        thresholds.append(scores.best_f1_threshold(model.oob_decision_function_[:, 1], column))
    return Learned("random forest on texture features", partial(_say, models), np.array(thresholds))


def _is_learnable(column: Array) -> bool:
    """Whether each fold can have both kinds."""
    return bool(min(column.sum(), len(column) - column.sum()) >= _FOLDS)


def _say(models: Sequence[Any], features: Array) -> Array:
    """(N, K); a label that no training picture could teach is never there."""
    return np.stack(
        [
            np.zeros(len(features)) if model is None else model.predict_proba(features)[:, 1]
            for model in models
        ],
        1,
    )


def by_size(reals: Sequence[Real], there: Array, known: Array, *, left_out: bool = True) -> Array:
    """(N, K): what width, height and bits alone say of each micrograph.

    Fitted on the others, the whole specimen left out; with `left_out` false on all of them, which
    is what the confounding could give at most. Balanced: else a rare label would be told by who
    was left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = np.array(
        [[np.log(r.grey.shape[1]), np.log(r.grey.shape[0]), r.micrograph.bit_depth] for r in reals]
    )
    groups = np.array([real.group for real in reals])
    said = np.full(there.shape, 0.5)
    for j in range(there.shape[1]):
        for group in np.unique(groups) if left_out else ("",):
            inside = groups == group if left_out else np.ones(len(reals), bool)
            fitted = known[:, j] & (~inside if left_out else inside)
            truth = there[fitted, j]
            if truth.any() and not truth.all():
                model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
                model.fit(size[fitted], truth)
                said[inside, j] = model.predict_proba(size[inside])[:, 1]
    return said
