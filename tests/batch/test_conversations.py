"""Reviewed interpretations as training data: the person's word counts, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from batch.conversations import write_llava
from batch.ledger import Ledger
from batch.recipe import Recipe
from batch.scan import scan
from batch.splits import split_of, together
from glassllava.conversation import Conversation, read_conversations
from glassllava.errors import BadInput
from glassllava.literature import NoLiterature
from glassllava.micrograph.reading import read_micrograph
from glassllava.model import processing
from glassllava.sample import Sample
from glassview.cli import main
from tests.micrographs import specimen, with_databar

Make = Callable[..., Any]
Capture = pytest.CaptureFixture[str]

RECIPE = Recipe(model="scripted", context="moderate")
FLOAT = Sample(id="A-1", lot="W47", material="soda-lime float glass", expected=("pore",))


@pytest.fixture
def night(folder: Path, tmp_path: Path, write: Make, make_model: Make) -> Callable[..., Ledger]:
    """A run over three micrographs of one lot, and its ledger; `again` scans once more."""
    for seed, name in enumerate(("a.tif", "b.tif", "c.tif")):
        write(name, seed=seed)
    run = tmp_path / "night"

    def night(**more: Any) -> Ledger:
        more = {"sample": FLOAT, "recipe": RECIPE, "literature": NoLiterature()} | more
        scan([folder], run, model=more.pop("model", None) or make_model(), **more)
        return Ledger.open(run)

    return night


def _read(folder: Path) -> dict[str, Conversation]:
    """By the kind of what is asked, for a folder about one micrograph."""
    found = list(read_conversations(folder / "conversations.json"))
    by = {one.id.rsplit("-", 1)[1]: one for one in found}
    assert len(by) == len(found)
    return by


def test_an_accepted_verdict_brings_the_models_words(
    night: Callable[..., Ledger], tmp_path: Path
) -> None:
    with night() as ledger:
        kept = ledger.kept(1)
        decision = kept.interpretation.verdict.decision
        assert decision == "no_defect"
        ledger.review(1, decision, "", who="Ada")
        exported = write_llava(ledger, tmp_path / "data", licence="CC-BY-4.0")
    assert (exported.accepted, exported.overruled, exported.unreviewed) == (1, 0, 2)
    found = _read(tmp_path / "data")
    assert found.keys() == {"verdict", "description"}
    verdict = found["verdict"]
    (turn,) = verdict.turns
    # Asked in the very words of the prompt, after the very prefix.
    assert turn.question.startswith(
        "Material: soda-lime float glass.\nIntended here: pore or bubble.\nMicroscope: "
    )
    assert turn.question.endswith("Is there a defect for this sample? Answer yes or no.")
    assert turn.answer == "no"
    assert verdict.defect is False
    assert (verdict.features, verdict.checked_by) == (("pore",), "Ada")
    assert verdict.answer_source == "person"
    assert (verdict.context_level, verdict.question_type) == ("moderate", "complex")
    assert (verdict.licence, verdict.paper) == ("CC-BY-4.0", "lot W47")
    described = found["description"]
    assert described.turns[0].answer == kept.interpretation.description
    assert described.answer_source == "script, not a model 1, accepted with its verdict"
    assert described.defect is None


def test_an_overruled_verdict_brings_the_persons_word_alone(
    night: Callable[..., Ledger], tmp_path: Path
) -> None:
    with night() as ledger:
        ledger.review(1, "defect", "The <image> shows a crack", who="Ada")
        exported = write_llava(ledger, tmp_path / "data")
    assert (exported.accepted, exported.overruled) == (0, 1)
    found = _read(tmp_path / "data")
    assert found.keys() == {"verdict", "answer"}
    assert found["verdict"].turns[0].answer == "yes"
    assert found["verdict"].defect is True
    # Nobody checked what the model saw, and a person's words spell no image.
    assert found["verdict"].features == ()
    assert found["answer"].turns[0].answer == "Defect: The < i m a g e > shows a crack"


def test_the_last_review_counts_and_an_undone_one_does_not(
    night: Callable[..., Ledger], tmp_path: Path
) -> None:
    with night() as ledger:
        ledger.review(1, "defect", "a crack", who="Ada")
        ledger.review(1, "no_defect", "", who="Bo")
        ledger.review(2, "defect", "a crack", who="Ada")
        ledger.review(2, "", "pressed the wrong key", who="Ada")
        exported = write_llava(ledger, tmp_path / "data")
    assert sum(exported.micrographs.values()) == 1
    assert exported.unreviewed == 2
    assert {one.checked_by for one in _read(tmp_path / "data").values()} == {"Bo"}


def test_a_later_review_of_the_same_question_stands_above_an_earlier_one(
    night: Callable[..., Ledger], tmp_path: Path, make_model: Make
) -> None:
    from tests.batch.conftest import calibrated

    night().close()
    # Other thresholds: every row is judged again, and has a second interpretation.
    with night(model=make_model(calibrated(pore=0.99))) as ledger:
        (row,) = [row for row in ledger.rows() if row.path == "a.tif"]
        first, second = (kept.id for kept in ledger.history(row.id))
        ledger.review(second, "no_defect", "", who="later record")
        ledger.review(first, "defect", "a crack", who="later word")
        exported = write_llava(ledger, tmp_path / "data")
    assert exported.superseded == 1
    assert {one.checked_by for one in _read(tmp_path / "data").values()} == {"later word"}


def test_undecided_teaches_no_verdict(night: Callable[..., Ledger], tmp_path: Path) -> None:
    with night() as ledger:
        ledger.review(1, "undecided", "", who="Ada")
        with pytest.raises(BadInput, match="None of the 1 reviewed"):
            write_llava(ledger, tmp_path / "data")
        ledger.review(2, "undecided", "too blurred", who="Ada")
        exported = write_llava(ledger, tmp_path / "data")
    assert exported.without_a_truth == 1
    found = _read(tmp_path / "data")
    assert found.keys() == {"answer"}
    assert found["answer"].turns[0].answer == "Undecided: too blurred"
    assert found["answer"].defect is None


def test_nothing_reviewed_is_refused(
    night: Callable[..., Ledger], tmp_path: Path, capsys: Capture
) -> None:
    night().close()
    out = tmp_path / "data"
    assert main(["export", str(tmp_path / "night"), "--format", "llava", "-o", str(out)]) == 2
    assert "Nobody reviewed an interpretation of this run: 3 wait for it" in capsys.readouterr().err
    assert not out.exists()


def test_the_picture_is_what_the_model_sees(tmp_path: Path, make_model: Make) -> None:
    grey = with_databar(specimen(200, 300).astype(np.uint16) * 150 + 900, 30, ink=60_000)
    folder = tmp_path / "micrographs"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", grey)
    scan([folder], tmp_path / "night", model=make_model(), recipe=RECIPE)
    with Ledger.open(tmp_path / "night") as ledger:
        record = ledger.kept(1).interpretation.micrograph
        ledger.review(1, "no_defect", "", who="Ada")
        write_llava(ledger, tmp_path / "data")
    (path,) = (tmp_path / "data" / "images").iterdir()
    with Image.open(path) as picture:
        assert picture.mode == "L"
        assert not picture.info  # no header, so no operator's name
        shown = np.asarray(picture)
    cut = record["databar"]["top"] if record["databar"] else 230
    assert cut < 230, "the fixture's databar was not found: the test would show nothing"
    assert shown.shape == (cut, 300)
    original = processing.see(read_micrograph(folder / "a.tif"), 224)
    assert np.array_equal(processing.letterbox(shown, 224), original)
    # Read as a micrograph again it is stretched again, which changes next to nothing.
    again = processing.see(read_micrograph(path), 224)
    assert np.abs(again.astype(int) - original).max() <= 2


def test_a_micrograph_that_changed_since_is_listed(
    night: Callable[..., Ledger], folder: Path, write: Make, tmp_path: Path, capsys: Capture
) -> None:
    with night() as ledger:
        for number in (1, 2, 3):
            ledger.review(number, "no_defect", "", who="Ada")
    write("a.tif", seed=9)
    (folder / "b.tif").unlink()
    command = ["export", str(tmp_path / "night"), "--format", "llava"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'night' / 'llava'}\n"
    assert "a.tif: The file is another one than was interpreted" in told.err
    assert "b.tif: There is no such file" in told.err
    assert main([*command, "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert len(summary["failures"]) == 2
    assert summary["micrographs"] == {"train": 1, "validation": 0, "test": 0}


def test_the_card_says_what_was_left_out(night: Callable[..., Ledger], tmp_path: Path) -> None:
    with night() as ledger:
        ledger.review(1, "no_defect", "", who="Ada")
        write_llava(ledger, tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text("utf-8")
    assert "2 that nobody reviewed" in card
    assert "not stated, so that nothing is granted" in card
    assert "0 of 1 micrographs say that they are synthetic" in card


def test_passages_are_told_as_the_model_was_told_them(
    night: Callable[..., Ledger], tmp_path: Path, make_primer: Make
) -> None:
    recipe = Recipe(model="scripted", context="high", question="Why are there pores?")
    with night(recipe=recipe, literature=make_primer()) as ledger:
        kept = ledger.kept(1)
        ledger.review(1, "no_defect", "", who="Ada")
        write_llava(ledger, tmp_path / "data")
    found = _read(tmp_path / "data")
    asked = found["verdict"].turns[0].question
    assert "[1] Pores come from refining (Primer, section 1)" in asked
    assert "Measured: " in asked
    assert kept.interpretation.passages
    assert "Primer, section 1" in (tmp_path / "data" / "README.md").read_text("utf-8")


# Splits


def test_a_lot_is_never_in_two_splits(folder: Path, tmp_path: Path, write: Make) -> None:
    for number in range(12):
        lot, copy = f"lot-{number // 2}", number in (3, 8)  # two lots share a picture's bytes
        name = f"{number}.tif"
        write(name, seed=99 if copy else number)
        (folder / f"{number}.sample.toml").write_text(f'lot = "{lot}"\nid = "{number}"\n')
    run = tmp_path / "night"
    flags = ["--model", "scripted", "--context", "moderate"]
    assert main(["scan", str(folder), "-o", str(run), *flags]) == 0
    with Ledger.open(run) as ledger:
        for row, kept in ledger.current():
            ledger.review(kept.id, "no_defect", f"see {row.path}", who="Ada")
        exported = write_llava(ledger)
        lots = {
            kept.interpretation.micrograph["sha256"][:16]: kept.interpretation.sample.lot
            for _, kept in ledger.current()
        }
    assert all(exported.micrographs.values())
    splits: dict[str, set[str]] = {}
    for one in read_conversations(run / "llava" / "conversations.json"):
        splits.setdefault(lots[one.id[:16]], set()).add(one.split)
    assert all(len(where) == 1 for where in splits.values())
    assert exported.groups == 5  # lots 1 and 4 are one: they share a picture


def test_without_a_sample_the_folder_stands_for_it_and_its_path_stays_here(
    night: Callable[..., Ledger], tmp_path: Path
) -> None:
    with night(sample=Sample(expected=("pore",))) as ledger:
        for number in (1, 2):
            ledger.review(number, "no_defect", "", who="Ada")
        exported = write_llava(ledger, tmp_path / "data")
    assert exported.groups == 1
    text = (tmp_path / "data" / "conversations.json").read_text("utf-8")
    assert str(tmp_path) not in text
    (paper,) = {one.paper for one in read_conversations(tmp_path / "data" / "conversations.json")}
    assert paper.startswith("folder micrographs ")


def test_things_that_share_a_mark_are_together() -> None:
    marks = [["lot a", "x"], ["lot b", "y"], ["lot c", "x"], ["lot d", "y", "x"], ["lot e"]]
    names = together(marks)
    assert names == ["lot a"] * 4 + ["lot e"]


def test_more_samples_move_few_of_those_there_were() -> None:
    names = {f"lot {number}": 1 for number in range(200)}
    before, after = split_of(dict(list(names.items())[:100])), split_of(names)
    assert all(after[name] == split for name, split in before.items())
    shares = [list(after.values()).count(name) for name in ("train", "validation", "test")]
    assert shares[0] > 140
    assert min(shares) > 8


@pytest.mark.parametrize("count", range(1, 14))
def test_few_samples_fill_every_split_they_can(count: int) -> None:
    for start in range(40):
        found = split_of({f"{start} {n}": n + 1 for n in range(count)})
        assert set(found.values()) == {"train", "validation", "test"} - (
            {"validation", "test"} if count == 1 else {"test"} if count == 2 else set()
        )
        if count < 10:
            assert found[f"{start} {count - 1}"] == "train"  # the most is learnt from
