"""Cases from conversations: the same code as for synthetic micrographs, hostile files refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glassllava.errors import BadInput
from glassllava.prompt import DEFAULT_QUESTION
from training.evaluation.cases import Case, conversation_cases, read_case, write_case
from training.evaluation.synthetic import QUESTIONS, synthetic_case


def _record(id_: str = "p1-f1", **more: Any) -> dict[str, Any]:
    said = [
        {"from": "human", "value": "<image>\nMaterial: float glass.\nIs this a defect?"},
        {"from": "gpt", "value": "Yes, the crack is a defect."},
    ]
    return {
        "id": id_,
        "image": "f1.tif",
        "conversations": said,
        "paper": "10.1/x",
        "split": "test",
        "features": ["crack_through"],
        "defect": True,
        "context_level": "basic",
        "question_type": "complex",
        "answer_source": "gpt-4o",
        **more,
    }


def _file(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "pairs.json"
    path.write_text(json.dumps(list(records)), "utf-8")
    return path


def test_context_lines_are_told_and_the_last_line_is_the_question(tmp_path: Path) -> None:
    (case,) = conversation_cases(_file(tmp_path, _record()), tmp_path)
    assert (case.told, case.question) == ("Material: float glass.", "Is this a defect?")
    assert (case.present, case.truth, case.group) == (("crack",), "defect", "10.1/x")
    assert (case.levels, case.kind, case.writer) == (("basic",), "complex", "gpt-4o")


def test_a_question_of_one_line_tells_its_own_context(tmp_path: Path) -> None:
    said = [
        {"from": "human", "value": "<image>\nIs the crack in float glass a defect?"},
        {"from": "gpt", "value": "It depends on its length."},
    ]
    record = _record(conversations=said, defect=None)
    (case,) = conversation_cases(_file(tmp_path, record), tmp_path)
    assert case.told == case.question == "Is the crack in float glass a defect?"
    assert case.truth == "depends"


def test_a_case_comes_back_from_its_file(tmp_path: Path) -> None:
    (case,) = conversation_cases(_file(tmp_path, _record()), tmp_path)
    write_case(tmp_path / "case.json", case)
    assert read_case(tmp_path / "case.json") == case
    synthetic = synthetic_case(1, tmp_path, (96, 128))
    assert synthetic_case(1, tmp_path) == synthetic  # kept, not painted again
    assert isinstance(synthetic, Case)
    assert synthetic.told is None


def test_questions_of_either_kind_come_by_turns(tmp_path: Path) -> None:
    asked = [synthetic_case(i, tmp_path, (96, 128)) for i in range(4)]
    assert [case.kind for case in asked] == ["simple", "complex"] * 2
    assert [case.question for case in asked] == [
        QUESTIONS["simple"][0],
        DEFAULT_QUESTION,
        QUESTIONS["simple"][1],
        QUESTIONS["complex"][1],
    ]


@pytest.mark.parametrize("image", ["/etc/passwd", "../secret.tif", "a/../../b.tif", ""])
def test_a_picture_outside_its_folder_is_refused_by_name(tmp_path: Path, image: str) -> None:
    path = _file(tmp_path, _record(image=image))
    with pytest.raises(BadInput, match="p1-f1"):
        conversation_cases(path, tmp_path)


def test_a_link_out_of_the_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.tif").write_bytes(b"x")
    (tmp_path / "images" / "a.tif").symlink_to(tmp_path / "secret.tif")
    path = _file(tmp_path, _record(image="a.tif"))
    with pytest.raises(BadInput, match="p1-f1"):
        conversation_cases(path, tmp_path / "images")


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="train") as error:
        conversation_cases(_file(tmp_path, _record(split="train")), tmp_path)
    assert "--split" in error.value.remedy


def test_twins_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="p1-f1"):
        conversation_cases(_file(tmp_path, _record(), _record()), tmp_path)


def test_names_from_a_file_command_no_terminal(tmp_path: Path) -> None:
    record = _record("p1\x1b[2J\n", answer_source="gpt\x1b]0;x\x07" + "y" * 500, paper="a\nb")
    (case,) = conversation_cases(_file(tmp_path, record), tmp_path)
    for name in (case.id, case.writer, case.group):
        assert name.isprintable()
    assert len(case.writer) <= 80
