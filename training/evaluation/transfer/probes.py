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
_BLOCK = 50  # pictures


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


def read_synthetic(folder: Path, keys: Sequence[str], limit: int | None = None) -> Synthetic:
    """The first training micrographs of `folder`, in their order.

    Raises
    ------
    BadInput : where there are none, or a picture is missing.
    """
    found: dict[int, Sequence[str]] = {}
    for path in sorted(folder.glob("train-*.jsonl")):
        if limit is not None and len(found) >= limit:
            break
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            # Another pass over the same pictures may say other things of them, or nothing.
            if isinstance(record, dict) and "present" in record:
                found.setdefault(int(record["seed"]), record["present"])
    rows = list(found.items())[:limit]
    files = tuple(folder / "micrographs" / "train" / f"{seed}.tif" for seed, _ in rows)
    gone = [path for path in files if not path.is_file()]
    if not files or gone:
        raise BadInput(
            "The training pictures are not there",
            where=gone[0] if gone else folder,
            remedy="Give the folder of data of a training run: train-*.jsonl and micrographs/.",
        )
    return Synthetic(files, np.array([[key in said for key in keys] for _, said in rows], bool))


def texture_features(synthetic: Synthetic, folder: Path) -> Array:
    """(N, F), kept in `folder`."""
    name = f"textures-{textures.VERSION}"
    return _of_files(synthetic.files, folder / name, textures.features)


def frozen_features(synthetic: Synthetic, frozen: Frozen, folder: Path) -> Array:
    """(N, F) of the training pictures, kept in `folder`."""
    name = f"imagenet-{frozen.side}"
    return _of_files(synthetic.files, folder / name, lambda picture: frozen.features([picture])[0])


def _of_files(files: Sequence[Path], folder: Path, work: Callable[[Array], Array]) -> Array:
    """`work` of every picture; each block of them is kept once it is done."""
    from training.bars import bar

    rows = []
    with bar(f"{folder.name} of the training pictures") as told:
        for start in range(0, len(files), _BLOCK):
            block = files[start : start + _BLOCK]
            total = hashlib.sha256()
            for path in block:
                total.update(f"{path.resolve()} {path.stat().st_size}\n".encode())
            rows.append(
                kept(
                    folder / f"{total.hexdigest()[:16]}.npy",
                    lambda block=block: np.stack([work(seen(path)) for path in block]),  # type: ignore[misc]
                )
            )
            told(start + len(block), len(files))
    return np.concatenate(rows)


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
