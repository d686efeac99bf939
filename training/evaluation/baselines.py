"""What can be had without looking: the majority, the words of the sample, the rules alone.

    majority   the verdict that most training cases have
    text       logistic regression on the words told at a level (and, for a sample, the rule tokens
               they mean), fitted on training cases; at "none" no word is told, which leaves the
               majority; measurements and passages are not among the words (the control "text_only"
               is what the model makes of those)
    rules      the context rules without eyes: of the features that training micrographs have, each
               as often as it is there, the share that the rules call a defect for this sample

A model that looks must beat them. Each is fitted on the training split alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glassllava import features, rules
from glassllava.sample import LEVELS, ContextLevel, Sample, understand
from training.embedded.dataset import FIRST_SEED, Look
from training.evaluation import scores
from training.evaluation.cases import Case, Truth
from training.evaluation.verdicts import finite
from training.evaluation.workers import spread
from training.whole import write_whole

NAMES = ("majority", "text", "rules")
SAMPLES = 400  # synthetic training samples
_SMALL = (240, 320)  # pixels: only the words of a training sample are wanted, not its picture
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Text:
    """A training case without its picture. `keys` are the child features that are there."""

    sample: Sample
    told: str | None
    keys: tuple[str, ...]
    truth: Truth | None
    level: ContextLevel | None = None  # of a conversation; a sample is told at every level

    @property
    def defect(self) -> bool | None:
        return {"defect": True, "no_defect": False}.get(self.truth or "")


def synthetic_texts(number: int, folder: Path, workers: int, look: Look = "plain") -> list[Text]:
    """The words and truths of the first training seeds, kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return list(spread(partial(_text, folder, look), range(number), workers, "training samples"))


def _text(folder: Path, look: Look, index: int) -> Text:
    seed = FIRST_SEED["train"] + index
    path = folder / f"text-{seed}.json"
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
    else:
        from training.evaluation.synthetic import truth_of
        from training.synthesis import Plan, generate

        scene = generate(seed, plan=Plan(look=look), size=_SMALL)
        kept = {
            "sample": scene.sample.to_json(),
            "keys": [truth.key for truth in scene.truths],
            "truth": truth_of(scene),
        }
        write_whole(path, json.dumps(kept))
    return Text(Sample.from_mapping(kept["sample"]), None, tuple(kept["keys"]), kept["truth"])


def texts_of(cases: Sequence[Case]) -> list[Text]:
    """The same of conversations of the training split."""
    return [Text(case.sample, case.told, (), case.truth, case.levels[0]) for case in cases]


def figures(
    cases: Sequence[Case], texts: Sequence[Text]
) -> tuple[dict[str, Any], dict[tuple[str, ContextLevel], dict[str, bool]]]:
    """Each baseline at each level as JSON, and by case whether it is right, for comparisons."""
    known = [text for text in texts if text.defect is not None]
    out: dict[str, Any] = {"training_texts": len(known)}
    right: dict[tuple[str, ContextLevel], dict[str, bool]] = {}
    if len(known) < _FEWEST:
        out["why_not"] = f"fewer than {_FEWEST} training cases of a known verdict"
        return out, right
    for name in NAMES:
        by_level = {}
        for level in LEVELS:
            chosen = [c for c in cases if c.defect is not None and level in c.levels]
            said = _said(name, level, chosen, known)
            if said is None or not chosen:
                continue
            hits = {c.id: s == c.defect for c, s in zip(chosen, said, strict=True)}
            right[name, level] = hits
            by_level[level] = finite(scores.share(sum(hits.values()), len(hits)))
        out[name] = by_level
    return out, right


def _said(
    name: str, level: ContextLevel, cases: Sequence[Case], known: Sequence[Text]
) -> list[bool] | None:
    majority = sum(bool(text.defect) for text in known) * 2 >= len(known)
    if name == "majority":
        return [majority] * len(cases)
    if name == "text":
        return _by_words(level, cases, known, majority)
    if not any(text.keys for text in known):
        return None  # conversations name no child features, which the rules judge
    prior = Counter(key for text in known for key in text.keys)
    return [_by_rules(case.sample, level, prior, majority) for case in cases]


def words_of(sample: Sample, told: str | None, level: ContextLevel) -> str:
    """The words a level tells of a sample, and the tokens that they mean to the rules."""
    if told is not None:
        return told
    if level == "none":
        return ""
    if level == "basic":
        said = [sample.material]
    else:
        said = [str(v) for k, v in sample.to_json().items() if k not in ("id", "lot", "expected")]
        said += [f"intended {features.name_of(key)}" for key in sample.expected]
    tokens = understand(sample, level).tokens
    said += [f"{key}={value}" for key in sorted(tokens) for value in sorted(tokens[key])]
    return "\n".join(said)


def _by_words(
    level: ContextLevel, cases: Sequence[Case], known: Sequence[Text], majority: bool
) -> list[bool]:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    used = [text for text in known if text.level in (None, level)]
    truth = [bool(text.defect) for text in used]
    words = [words_of(text.sample, text.told, level) for text in used]
    if len(set(truth)) < 2 or not any(word.strip() for word in words) or not cases:
        return [majority] * len(cases)
    counting = CountVectorizer(
        binary=True,
        ngram_range=(1, 2),
        token_pattern=r"[^\s,;()]+",  # noqa: S106  # a word, not a secret
    )
    model = LogisticRegression(C=1.0, max_iter=2000)
    model.fit(counting.fit_transform(words), truth)
    asked = counting.transform([words_of(case.sample, case.told, level) for case in cases])
    return [bool(said) for said in np.asarray(model.predict(asked))]


def _by_rules(
    sample: Sample, level: ContextLevel, prior: Mapping[str, int], majority: bool
) -> bool:
    tokens = understand(sample, level).tokens
    expected = {features.parent_of(k) for k in sample.expected} if level in LEVELS[2:] else set()
    bad = good = 0
    for key, count in prior.items():
        ruling = rules.judge_child(key, tokens)
        if features.parent_of(key) in expected or (ruling and ruling.verdict == "no_defect"):
            good += count
        elif ruling and ruling.verdict == "defect":
            bad += count
    return bad >= good if bad + good else majority
