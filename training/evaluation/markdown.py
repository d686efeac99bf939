"""The result for people: one Markdown table in the layout of the paper, and what stands beside it.

Every figure carries its 95 % interval. Knows the JSON document alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_CONDITIONS = {
    "full": "the micrograph",
    "blank": "blank",
    "text_only": "text only",
    "shuffled": "shuffled pictures",
    "without_expected": "without `expected`",
}
_ROWS = {
    "quality_simple": "Overall quality, simple questions (0-100)",
    "quality_complex": "Overall quality, complex questions (0-100)",
    "context_assessment": "Context assessment: quality, all questions (0-100)",
    "feature_identification": "Feature identification (1-4)",
    "defect_detection": "Defect detection, true/false (%)",
}
_BASELINES = {
    "majority": "the training majority",
    "text": "the sample's words alone (logistic regression)",
    "rules": "the context rules without eyes",
}
_ABOVE = {**_CONDITIONS, **_BASELINES}


def page(result: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [
        _head(result),
        _paper(result),
        _over(result),
        _verdicts(result),
        _predictive(result),
        _gains(result),
        _probes(result),
        _rest(result),
        _words(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(result: Mapping[str, Any]) -> str:
    judge, model = result["judge"], result["model"]
    lines = [
        f"# Evaluation of {model['reference']}",
        f"Cases: {result['cases']}. {result['groups_are'].capitalize()}: {result['groups']}. "
        f"Data: {result['data']}. "
        f"Grades of the texts by **{judge['name']}**"
        + (
            ", a scorer that counts words: not the paper's GPT-4 figure, nor to be compared to it."
            if judge["name"] == "offline"
            else f" at {judge['host']}, by our rubric; no picture was sent to it."
        ),
    ]
    lines += [f"- {note}." for note in result["notes"]]
    return "\n\n".join(lines[:2]) + ("\n\n" + "\n".join(lines[2:]) if lines[2:] else "")


def _paper(result: Mapping[str, Any]) -> str:
    """The paper's four figures by context level; the controls in the same rows."""
    levels = result["levels"]
    made = ["## The paper's table, with controls", _top(["", "shown", *levels])]
    for key, title in _ROWS.items():
        for condition in result["conditions"]:
            if condition == "without_expected":
                continue
            figures = result["paper"][condition][key]
            scale = 100 if key == "defect_detection" else 1
            digits = 2 if key == "feature_identification" else 1
            cells = [_cell(figures.get(level), scale, digits) for level in levels]
            name = f"**{title}**" if condition == "full" else ""
            made.append(_line([name, _CONDITIONS[condition], *cells]))
    for name, title in _BASELINES.items():
        figures = result["baselines"].get(name)
        if figures:
            cells = [_cell(figures.get(level), 100, 1) for level in levels]
            made.append(_line(["", f"baseline: {title}", *cells]))
    return _table(made)


def _over(result: Mapping[str, Any]) -> str:
    levels = result["levels"]
    made = [
        "## Defect detection above each control and baseline, on the same cases (points)",
        _top(["above", *levels]),
    ]
    for name, figures in result["over"].items():
        cells = [_cell(figures.get(level), 100, 1) for level in levels]
        made.append(_line([_ABOVE[name], *cells]))
    return _table(made)


def _verdicts(result: Mapping[str, Any]) -> str:
    rows = {
        "accuracy_by_group": ("Defect detection, interval by group (%)", 100, 1),
        "sensitivity": ("Sensitivity (%)", 100, 1),
        "specificity": ("Specificity (%)", 100, 1),
        "coverage": ("Decided by the calibrated threshold (%)", 100, 1),
        "risk_decided": ("Risk among the decided (%)", 100, 1),
        "ece": ("ECE", 1, 3),
        "brier": ("Brier score", 1, 3),
        "aurc": ("AURC", 1, 3),
        "by_text": ("Verdict as its text gives it (%)", 100, 1),
    }
    levels = result["levels"]
    full = result["verdicts"]["full"]
    made = ["## The verdict, with the micrograph", _top(["", *levels])]
    for key, (title, scale, digits) in rows.items():
        made.append(
            _line([title, *(_cell(full[level].get(key), scale, digits) for level in levels)])
        )
    depends = [full[level]["depends"] for level in levels]
    told = [f"{_cell(d['undecided'], 100, 1)} of {d['cases']}" for d in depends]
    made.append(_line(['Left undecided where it "depends" (%)', *told]))
    after = [full[level]["after_rules"] for level in levels]
    if any(after):
        made.append(
            _line(
                [
                    "After the context rules: decided / right of these (%)",
                    *(
                        f"{_cell(a['coverage'], 100, 1)} / {_cell(a['right_of_decided'], 100, 1)}"
                        for a in after
                    ),
                ]
            )
        )
    return _table(made)


def _predictive(result: Mapping[str, Any]) -> str:
    levels = result["levels"]
    full = result["verdicts"]["full"]
    made = [
        '## What a "defect" and a "no defect" are worth, by how common defects are (%)',
        _top(["defects among what comes", "said", *levels]),
    ]
    for prevalence in ("0.01", "0.1", "0.5"):
        for said in ("defect", "no_defect"):
            cells = [
                _cell(
                    (full[level].get("predictive_values") or {}).get(prevalence, {}).get(said),
                    100,
                    1,
                )
                for level in levels
            ]
            made.append(_line([f"{float(prevalence):.0%}", said.replace("_", " "), *cells]))
    return _table(made)


def _gains(result: Mapping[str, Any]) -> str:
    gains = result["gains_from_context"]
    if not gains:
        return ""
    levels = [level for level in result["levels"] if level != "none"]
    made = [
        '## What context adds to "none", on the same cases (points)',
        _top(["", "shown", *levels]),
    ]
    for key, scale in (("verdict", 100), ("quality", 1)):
        for condition, figures in gains.items():
            if condition == "cases_with_expected":
                continue
            cells = [_cell(figures[level][key], scale, 1) for level in levels]
            made.append(_line([key, _CONDITIONS[condition], *cells]))
    made.append("")
    made.append(f"{gains['cases_with_expected']} cases name something as `expected`.")
    return _table(made)


def _probes(result: Mapping[str, Any]) -> str:
    levels = result["levels"]
    made = ["## Features by the probes", _top(["", "shown", *levels])]
    for key, title in (("macro_f1", "macro F1"), ("macro_ap", "macro average precision")):
        for condition in result["conditions"]:
            figures = result["probes"][condition]
            if condition == "without_expected" or not any(figures.values()):
                continue
            cells = [_cell((figures[level] or {}).get(key), 1, 2) for level in levels]
            made.append(_line([title, _CONDITIONS[condition], *cells]))
    everything = [
        (result["probes"]["full"][level] or {}).get("macro_f1_of_saying_everything")
        for level in levels
    ]
    made.append(_line(["macro F1", "says everything", *(_cell(v, 1, 2) for v in everything)]))
    return _table(made) if len(made) > 3 else ""


def _rest(result: Mapping[str, Any]) -> str:
    lines = ["## Citations, stability, agreement"]
    for level, cited in result["citations"].items():
        if cited:
            lines.append(
                f"- Citations at {level}: precision {_cell(cited['precision'], 100, 1)} % of "
                f"{cited['made']} made ({cited['invented']} invented), recall "
                f"{_cell(cited['recall'], 100, 1)} % of {cited['could_cite']} replies that could "
                "cite a passage on what is there."
            )
    stable = result["stability"]
    if "why_not" in stable:
        lines.append(f"- Stability across batch sizes was not asked: {stable['why_not']}.")
    else:
        near = len(stable.get("near", ()))
        lines.append(
            f"- Asked {stable['batch']} together and alone ({stable['cases']} cases): verdicts "
            f"flip in {_cell(stable['verdicts_flip'], 100, 1)} %, texts differ in "
            f"{_cell(stable['texts_differ'], 100, 1)} %, largest difference of probability "
            f"{stable.get('largest_difference', float('nan')):.1e}; {near} verdicts lie within "
            f"{stable.get('near_band', float('nan')):.2f} of one half and are named in the JSON."
        )
    for pair in result["agreement"]:
        told = [
            f"{title} {_cell(found['kappa'], 1, 2)} on {found['items']}"
            for key, title in (
                ("features_weighted", "features (weighted)"),
                ("quality_weighted", "quality bands (weighted)"),
                ("verdict", "verdict"),
            )
            if (found := pair[key])
        ]
        if told:
            lines.append(f"- κ of {' and '.join(pair['raters'])}: {'; '.join(told)}.")
    if not result["agreement"]:
        lines.append(
            "- No second rater: agreement is not known. `to_grade.csv` is the sheet for people."
        )
    return "\n".join(lines)


def _words(result: Mapping[str, Any]) -> str:
    ours = result["definitions"]
    lines = [f"## What the words mean\n{ours['ours']}\n"]
    lines += [f"- **{level}**: {meaning}." for level, meaning in ours["levels"].items()]
    lines += [f"- {ours[key]}" for key in ("quality", "features", "offline")]
    lines += [
        "- **blank**: a picture of one grey; measurements and passages computed from it. "
        "**text only**: the same picture under the original's measurements and passages. "
        "**shuffled pictures**: the micrograph of a case of another group under this text.",
        "- Brackets: 95 % intervals; Clopper-Pearson for shares, else the bootstrap over groups "
        f"({result['groups_are']}; micrographs, for the probes of synthetic ones). Differences are "
        "paired.",
    ]
    return "\n".join(lines)


def _top(names: Sequence[str]) -> str:
    return f"\n{_line(names)}\n{_line(['---'] * len(names))}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _cell(figure: Any, scale: float, digits: int) -> str:
    """A figure with its interval, a plain number, or a dash where there is none."""
    if figure is None:
        return "–"
    if not isinstance(figure, list):
        return f"{scale * figure:.{digits}f}"
    value, low, high = figure
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{scale * value:.{digits}f}"
    return f"{scale * value:.{digits}f} [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
