"""The whole evaluation, of models of which the result is known, on a few small micrographs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from glassllava.errors import BadInput, ModelUnavailable, RunUnavailable
from glassllava.sample import LEVELS
from tests.chat_server import ChatServer
from tests.training.evaluation import models
from training.evaluation import cli, controls, evidence
from training.evaluation.cases import Case
from training.evaluation.controls import enquiries
from training.evaluation.evaluating import Wanted, evaluate
from training.evaluation.synthetic import synthetic_cases

NUMBER, SIZE = 10, (112, 144)
WANTED = Wanted(number=NUMBER, workers=1, training_texts=2, size=SIZE, with_plots=False)


def _quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder: micrographs are painted and measured once, each model's answers are its own."""
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def cases(out: Path) -> list[Case]:
    return synthetic_cases(NUMBER, out / "micrographs-112x144", 1, SIZE)


@pytest.fixture(scope="module")
def best(out: Path, cases: list[Case]) -> dict[str, Any]:
    return evaluate(models.perfect(cases), replace(WANTED, with_plots=True), out, log=_quiet)


def test_who_knows_all_has_all_and_the_controls_have_not(
    best: dict[str, Any], cases: list[Case]
) -> None:
    full, blank = best["paper"]["full"], best["paper"]["blank"]
    for level in LEVELS:
        for key in ("quality_simple", "quality_complex", "context_assessment"):
            assert full[key][level][0] == 100
        assert full["feature_identification"][level][0] == 4
        assert full["defect_detection"][level][0] == 1
        assert best["probes"]["full"][level]["macro_f1"][0] == 1
    # A blank shows nothing: right as often as "no defect" is.
    known = [case for case in cases if case.defect is not None]
    fine = sum(case.defect is False for case in known)
    assert blank["defect_detection"]["high"][0] == pytest.approx(fine / len(known), abs=1e-4)
    assert blank["feature_identification"]["high"][0] < 2
    assert best["paper"]["shuffled"]["feature_identification"]["high"][0] < 2.5
    assert best["over"]["blank"]["high"][0] == pytest.approx(1 - fine / len(known), abs=1e-4)


def test_cases_that_depend_stand_apart_and_abstaining_removes_none(
    best: dict[str, Any], cases: list[Case]
) -> None:
    row = best["verdicts"]["full"]["high"]
    open_ = [case for case in cases if case.truth == "depends"]
    assert open_, "the seeds hold one"
    assert (row["cases"], row["depends"]["cases"]) == (NUMBER - len(open_), len(open_))
    assert row["depends"]["undecided"][0] == 1  # said 0.5, and 0.8 decides
    assert row["coverage"][0] == 1
    assert row["risk_decided"][0] == 0


def test_context_adds_nothing_for_who_knows_all(best: dict[str, Any]) -> None:
    for level in ("basic", "moderate", "high"):
        assert best["gains_from_context"]["full"][level] == {"verdict": [0] * 3, "quality": [0] * 3}


def test_the_files_are_there_and_say_what_the_result_says(out: Path, best: dict[str, Any]) -> None:
    assert json.loads((out / "evaluation.json").read_text("utf-8"))["schema"] == 1
    page = (out / "evaluation.md").read_text("utf-8")
    assert "not the paper's GPT-4 figure" in page
    assert "- There are no baselines: fewer than 20 training cases" in page
    assert "| **Defect detection, true/false (%)** | the micrograph | 100.0 [" in page
    for name in ("reliability.png", "risk-coverage.png", "context.png"):
        assert (out / name).stat().st_size > 5000


def test_who_says_everything_gains_nothing(out: Path) -> None:
    result = evaluate(models.everything(), WANTED, out, log=_quiet)
    full = result["paper"]["full"]
    assert full["context_assessment"]["high"][0] == 0
    assert full["feature_identification"]["high"][0] == 1
    probes = result["probes"]["full"]["high"]
    # `clean` is not said beside others, so that one of sixteen is not.
    assert probes["macro_f1"][0] <= probes["macro_f1_of_saying_everything"]
    assert result["over"]["shuffled"]["high"] == [0, 0, 0]
    assert result["verdicts"]["full"]["high"]["specificity"][0] == 0


def test_who_reads_only_the_text_is_found_out(out: Path) -> None:
    model = models.Told(models.by_text_alone, models.named("reader"))
    result = evaluate(model, WANTED, out, log=_quiet)
    full, text = result["paper"]["full"], result["paper"]["text_only"]
    assert full == text == result["paper"]["shuffled"]
    assert all(figure == [0, 0, 0] for figure in result["over"]["text_only"].values())


def test_who_tells_no_probability_has_no_verdict_figure_and_is_told_so(out: Path) -> None:
    model = models.Told(models.without_probabilities, models.named("mute"), calibration=None)
    result = evaluate(model, WANTED, out, log=_quiet)
    assert set(result["paper"]["full"]["defect_detection"].values()) == {None}
    assert result["verdicts"]["full"]["high"]["by_text"][0] is not None
    assert "tells no probabilities" in " ".join(result["notes"])
    assert result["stability"]["verdicts_flip"] is None
    assert "– |" in (out / "evaluation.md").read_text("utf-8")


def test_answers_that_flip_with_the_batch_are_counted_and_named(out: Path) -> None:
    model = models.Told(models.near_one_half, models.named("wavering"))
    stable = evaluate(model, WANTED, out, log=_quiet)["stability"]
    assert stable["verdicts_flip"][0] == 1
    assert stable["texts_differ"][0] == 1
    assert len(stable["flipped"]) == len(stable["near"]) == NUMBER
    assert stable["largest_difference"] == pytest.approx(0.002)


def test_a_server_is_not_asked_for_batches_that_are_not_ours(out: Path) -> None:
    model = models.Told(models.by_text_alone, models.named("far", host="example.invalid"))
    assert "why_not" in evaluate(model, WANTED, out, log=_quiet)["stability"]


def test_a_cut_run_goes_on_and_ends_as_an_uncut_one(out: Path, tmp_path: Path) -> None:
    whole = models.Told(models.by_text_alone, models.named("cut"))
    uncut = evaluate(whole, WANTED, out, log=_quiet)
    kept = tmp_path / "kept"
    shutil.copytree(out, kept)
    for answers in kept.glob("answers/*/cut-*"):
        shutil.rmtree(answers)
    model = models.Told(models.by_text_alone, models.named("cut"))
    model.fails_after = len(whole.asked) - 5
    with pytest.raises(ModelUnavailable):
        evaluate(model, WANTED, kept, log=_quiet)
    first = len(model.asked)
    model.fails_after = None
    assert evaluate(model, WANTED, kept, log=_quiet) == uncut
    # The first eight were kept; the last two, cut in the middle, are asked again whole.
    assert first < len(model.asked) < first + len(whole.asked) // 2
    before = len(model.asked)
    assert evaluate(model, WANTED, kept, log=_quiet) == uncut
    assert len(model.asked) == before


def test_a_judge_grades_and_its_kin_are_told(out: Path, cases: list[Case]) -> None:
    grade = {"quality": 70, "features": 2, "why": "as told"}
    said: list[str] = []
    with ChatServer(lambda body: grade) as server:
        wanted = replace(WANTED, judges=(server.reference("gpt-judge"),))
        result = evaluate(models.perfect(cases, "gpt-model"), wanted, out, log=said.append)
        assert not any("image_url" in json.dumps(body) for body in server.requests)
    assert "same family (OpenAI GPT)" in said[0]  # before anything is paid
    assert server.host in said[1]
    assert "no picture" in said[1]
    assert result["judge"]["name"] == "gpt-judge"
    assert result["paper"]["full"]["quality_simple"]["high"][0] == 70
    assert result["paper"]["full"]["feature_identification"]["high"][0] == 2
    assert any("same family (OpenAI GPT)" in note for note in result["notes"])
    assert result["agreement"][0]["raters"] == ["offline", "gpt-judge"]
    assert "by our rubric; no picture was sent to it" in (out / "evaluation.md").read_text("utf-8")


def test_replies_that_a_judge_did_not_grade_stand_in_no_mean(out: Path, cases: list[Case]) -> None:
    with ChatServer(lambda body: {"quality": 999, "features": 4, "why": ""}) as server:
        wanted = replace(WANTED, judges=(server.reference("bad-judge"),))
        result = evaluate(models.perfect(cases), wanted, out, log=_quiet)
    assert result["paper"]["full"]["quality_simple"]["high"] is None
    rows = sum(len(levels) for levels in result["verdicts"].values()) * NUMBER
    assert sum(result["judge"]["ungraded"]["bad-judge"].values()) == rows
    assert len(result["judge"]["ungraded"]["bad-judge"]) == 1  # alike reasons are counted together
    assert any(f"{rows} of {rows} replies have no grade" in note for note in result["notes"])


def test_a_limit_that_is_reached_is_told_and_the_rest_stays_ungraded(
    out: Path, cases: list[Case]
) -> None:
    with ChatServer(lambda body: {"quality": 70, "features": 2, "why": ""}) as server:
        wanted = replace(WANTED, judges=(server.reference("dear-judge"),), limit=40_000.0)
        result = evaluate(models.perfect(cases), wanted, out, log=_quiet)
    assert list(result["judge"]["ungraded"]["dear-judge"]) == ["The limit was reached"]
    assert server.billed <= 40_000


# Controls


def test_blank_measures_the_blank_and_text_only_keeps_the_original(
    cases: list[Case], tmp_path: Path
) -> None:
    from glassllava.features import PARENTS
    from glassllava.literature import NoLiterature
    from glassllava.prompt import Budget

    found, failures = evidence.gather(cases, tmp_path, 1)
    assert not failures
    shown = controls.partners(cases)
    told = 0
    for case in cases:
        seen = found[case.id]
        assert all(m.value == 0 for m in seen.blank_measurements.measurements)
        made = enquiries(
            case, seen, found[shown[case.id]].micrograph,
            literature=NoLiterature(), probe_keys=tuple(PARENTS), passage_budget=Budget(700),
        )  # fmt: skip
        full, text = made["full", "high"], made["text_only", "high"]
        blank, shuffled = made["blank", "high"], made["shuffled", "high"]
        assert full.prefix == text.prefix == shuffled.prefix
        assert text.micrograph.path == blank.micrograph.path == seen.blank.path
        assert shuffled.micrograph.path != full.micrograph.path
        counts = [m.value for m in seen.measurements.measurements if m.quantity.endswith("_count")]
        told += any(counts) and blank.prefix != full.prefix
        # Below "high" nothing measured is told: the two are one enquiry.
        assert controls.same(made["blank", "moderate"]) == controls.same(
            made["text_only", "moderate"]
        )
        without = made["without_expected", "moderate"]
        assert ("Intended here" in made["full", "moderate"].prefix) == bool(case.sample.expected)
        assert "Intended here" not in without.prefix
    assert told > NUMBER // 3


def test_no_case_is_shuffled_with_its_own_group_where_there_is_another(cases: list[Case]) -> None:
    group = {case.id: case.group for case in cases}
    shown = controls.partners(cases)
    assert all(id_ != other for id_, other in shown.items())
    assert all(group[case.id] != group[shown[case.id]] for case in cases[:8])
    assert controls.partners(cases[:1]) == {}
    # What was asked holds when more cases follow.
    first = controls.partners(cases[:8])
    assert first.items() <= controls.partners(cases).items()


# Conversations


def _pairs(folder: Path, number: int, split: str = "test") -> Path:
    rng = np.random.default_rng(1)
    rows = []
    for i in range(number):
        image = folder / f"{split}-{i}.tif"
        tifffile.imwrite(image, rng.integers(0, 255, (96, 96), np.uint8))
        bad = i % 2 == 0
        asked = f"<image>\nMaterial: {'float' if bad else 'foam'} glass {i}.\nIs it a defect?"
        answer = "Yes, the crack is a defect." if bad else "No, the pores are no defect."
        rows.append(
            {
                "id": f"{split}-{i}",
                "image": image.name,
                "conversations": [
                    {"from": "human", "value": asked},
                    {"from": "gpt", "value": answer},
                ],
                "paper": f"paper {i // 2}",
                "split": split,
                "features": ["crack_through" if bad else "foam_cell"],
                "defect": bad,
                "context_level": LEVELS[1 + i % 3],
                "question_type": "complex",
                "answer_source": "gpt-4o",
            }
        )
    path = folder / f"{split}.json"
    path.write_text(json.dumps(rows), "utf-8")
    return path


def test_a_groups_own_pairs_go_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    rows = json.loads(_pairs(tmp_path, 12).read_text("utf-8"))
    rows += json.loads(_pairs(tmp_path, 24, "train").read_text("utf-8"))
    data = tmp_path / "all.json"
    data.write_text(json.dumps(rows), "utf-8")
    (tmp_path / "test-3.tif").write_bytes(b"II*\0torn")
    seen: list[str] = []

    def answer(enquiry: Any, _: int) -> tuple[float, str]:
        seen.append(enquiry.prefix)
        bad = "float" in enquiry.prefix
        return (
            (0.9, "Yes, the crack is a defect.") if bad else (0.1, "No, the pores are no defect.")
        )

    model = models.Told(answer, models.named("reader of pairs"))
    wanted = Wanted(data=data, images=tmp_path, workers=1, with_plots=False)
    result = evaluate(model, wanted, tmp_path / "out", log=_quiet)
    assert result["cases"] == 11
    assert [each["case"] for each in result["failures"]] == ["test-3"]
    assert result["groups_are"] == "papers"
    assert set(result["levels"]) == {"basic", "moderate", "high"}
    assert all("Measured" not in prefix for prefix in seen)
    for level in result["levels"]:
        row = result["verdicts"]["full"][level]
        assert row["accuracy"][0] == 1
        assert row["calibrated"] is False  # the words are not the product's prompts
        assert result["paper"]["full"]["quality_complex"][level][0] == 100
    # It never looked, and the words of the training split give the verdict away too.
    assert result["paper"]["text_only"] == result["paper"]["full"]
    assert result["baselines"]["text"]["basic"][0] == 1


def test_pairs_none_of_which_can_be_read_are_refused(tmp_path: Path) -> None:
    data = _pairs(tmp_path, 2)
    for image in tmp_path.glob("*.tif"):
        image.unlink()
    model = models.Told(models.by_text_alone, models.named("any"))
    with pytest.raises(BadInput, match="None of the 2 pictures"):
        evaluate(model, Wanted(data=data, images=tmp_path), tmp_path / "out", log=_quiet)


def test_too_few_and_untold_are_refused(tmp_path: Path) -> None:
    model = models.everything()
    with pytest.raises(BadInput, match="Fewer than 10"):
        evaluate(model, Wanted(number=9), tmp_path / "out", log=_quiet)
    with pytest.raises(BadInput, match="folder of the pictures"):
        evaluate(model, Wanted(data=_pairs(tmp_path, 1)), tmp_path / "out", log=_quiet)


# The command


def test_the_command_prints_one_document_and_exits_one_where_a_picture_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    data = _pairs(tmp_path, 4)
    (tmp_path / "test-1.tif").unlink()
    parser = argparse.ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    words = ["evaluate", "--model", "scripted", "--data", str(data), "--images", str(tmp_path)]
    args = parser.parse_args(
        [*words, "-o", str(tmp_path / "out"), "--workers", "1", "--no-plots", "--json"]
    )
    assert args.run(args) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["cases"] == 3
    assert "not read: test-1" in told.err


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="no price"):
        cli._price("cheap")
    assert cli._price("2.5/10").completion == 10


def test_a_model_behind_a_server_that_tells_no_probabilities(tmp_path: Path) -> None:
    from glassllava.model.opening import open_model

    data = _pairs(tmp_path, 2)
    with ChatServer(lambda body: "Yes, the crack is a defect.") as server:
        model = open_model(server.reference("some-vlm"))
        wanted = Wanted(data=data, images=tmp_path, workers=1, with_plots=False)
        result = evaluate(model, wanted, tmp_path / "out", log=_quiet)
    assert result["model"]["host"] == server.host
    assert result["verdicts"]["full"]["basic"]["accuracy"] is None
    assert result["verdicts"]["full"]["basic"]["by_text"][0] == 1
    assert result["verdicts"]["full"]["moderate"]["by_text"][0] == 0
    assert "batches" in result["stability"]["why_not"]


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunUnavailable, match="cannot be used"):
        evaluate(models.everything(), WANTED, tmp_path / "file", log=_quiet)


@pytest.mark.proof
def test_the_checkpoint_that_ships_looks_and_batches_change_nothing(tmp_path: Path) -> None:
    """Minutes on two cores: the embedded model on micrographs of full size, without literature."""
    from glassllava.model.opening import open_model

    wanted = Wanted(number=24, training_texts=60)
    result = evaluate(open_model("embedded"), wanted, tmp_path, log=_quiet)
    full, text = result["paper"]["full"], result["paper"]["text_only"]
    for level in ("moderate", "high"):
        assert full["defect_detection"][level][0] >= 0.7
        assert full["feature_identification"][level][0] > text["feature_identification"][level][0]
        # Beyond chance: it names what is on this picture, not on another.
        shuffled = result["probes"]["shuffled"][level]["macro_f1"]
        assert result["probes"]["full"][level]["macro_f1"][1] > shuffled[2]
    assert result["stability"]["flipped"] == []
    assert result["stability"]["largest_difference"] < 1e-4
