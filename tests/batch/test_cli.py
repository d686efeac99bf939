"""The commands as they are typed: what they print, where, and with which code they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glassview.cli import main

Make = Callable[..., Any]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def scan(folder: Path, tmp_path: Path) -> Callable[..., int]:
    """`glassview scan` of the folder into `night`, with the script and no literature."""

    def scan(*more: str) -> int:
        flags = ["-o", str(tmp_path / "night"), "--model", "scripted", "--context", "moderate"]
        return main(["scan", str(folder), *flags, *more])

    return scan


def test_a_scan_ends_with_the_path_of_its_report(
    scan: Callable[..., int], write: Make, tmp_path: Path, capsys: Capture
) -> None:
    write("a.tif")
    assert scan() == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(tmp_path / "night" / "report.pdf")]
    assert "1 discovered: 1 done, 0 failed, 0 skipped" in told.err
    assert scan() == 0
    assert "0 asked, 0 judged again, 1 unchanged" in capsys.readouterr().err


def test_failures_are_listed_and_end_with_one(
    scan: Callable[..., int], write: Make, folder: Path, capsys: Capture
) -> None:
    write("a.tif")
    (folder / "text.tif").write_text("no picture")
    assert scan("--json") == 1
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["done"], summary["failed"]) == (1, 1)
    assert summary["failures"][0]["reason"] == "The file is text, not a picture"
    assert scan() == 1
    assert "failed: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--engine", "ray"), "no engine 'ray'"),
        (("--watch",), "Watching"),
        (("--workers", "0"), "1 to 64"),
        (("--recipe", "none.toml"), "no such recipe"),
        (("--sample", "none.toml"), "no such sample"),
        (("--context", "all"), "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_refused(
    scan: Callable[..., int], write: Make, tmp_path: Path, more: tuple[str, ...], says: str,
    capsys: Capture,
) -> None:  # fmt: skip
    write("a.tif")
    assert scan(*more) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "night").exists()


def test_missing_and_empty_folders_are_refused(
    scan: Callable[..., int], tmp_path: Path, capsys: Capture
) -> None:
    assert scan() == 2
    assert "No micrograph was found" in capsys.readouterr().err
    assert main(["scan", str(tmp_path / "none"), "-o", str(tmp_path / "night"), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["what"] == "There is no such folder"


def test_a_dry_run_lists_what_would_be_done(
    scan: Callable[..., int], write: Make, tmp_path: Path, capsys: Capture
) -> None:
    path = write("a.tif")
    assert scan("--dry-run") == 0
    assert capsys.readouterr().out == f"{path.resolve()}: interpret\n"
    assert not (tmp_path / "night").exists()


def test_a_dry_run_over_a_night_with_failures_is_no_failure(
    scan: Callable[..., int], write: Make, tmp_path: Path, capsys: Capture
) -> None:
    path = write("a.tif")
    path.write_bytes(path.read_bytes()[:200])
    assert scan() == 1
    capsys.readouterr()
    assert scan("--dry-run") == 0
    assert "leave failed" in capsys.readouterr().out


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    scan: Callable[..., int], write: Make, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from glassllava.model.scripted import ScriptedModel

    def interrupted(self: Any, enquiries: Any) -> Any:
        raise KeyboardInterrupt

    write("a.tif")
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedModel, "reply", interrupted)
        assert scan() == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert scan() == 0


def test_a_resumed_run_keeps_to_its_own_recipe(
    folder: Path, tmp_path: Path, write: Make, capsys: Capture
) -> None:
    write("a.tif")
    recipe = tmp_path / "own.toml"
    recipe.write_text('model = "scripted"\ncontext = "none"\nquestion = "Is it clean?"\n')
    command = ["scan", str(folder), "-o", str(tmp_path / "night")]
    assert main([*command, "--recipe", str(recipe)]) == 0
    assert main(command) == 0
    assert "1 unchanged" in capsys.readouterr().err


def test_the_report_is_drawn_again_elsewhere(
    scan: Callable[..., int], write: Make, tmp_path: Path, capsys: Capture
) -> None:
    write("a.tif")
    scan()
    capsys.readouterr()
    out = tmp_path / "elsewhere" / "again.pdf"
    assert main(["report", str(tmp_path / "night"), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.read_bytes() == (tmp_path / "night" / "report.pdf").read_bytes()
    assert main(["report", str(tmp_path)]) == 2
    assert "not a run" in capsys.readouterr().err


def test_exports_hold_the_records(
    scan: Callable[..., int], write: Make, tmp_path: Path, capsys: Capture
) -> None:
    write("a.tif")
    scan()
    capsys.readouterr()
    night = str(tmp_path / "night")
    assert main(["export", night, "--format", "jsonl", "-o", str(tmp_path / "r.jsonl")]) == 0
    (line,) = (tmp_path / "r.jsonl").read_text("utf-8").splitlines()
    record = json.loads(line)
    assert record["schema"] == 1
    assert record["reviews"] == []
    assert main(["export", night, "--format", "csv", "-o", str(tmp_path / "tables")]) == 0
    assert {p.name for p in (tmp_path / "tables").iterdir()} == {
        "findings.csv", "micrographs.csv", "failures.csv",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["export", night, "--format", "csv", "--json"]) == 0
    paths = json.loads(capsys.readouterr().out)["paths"]
    assert [Path(path).name for path in paths] == [
        "micrographs.csv",
        "findings.csv",
        "failures.csv",
    ]
    assert main(["export", night, "--format", "xlsx"]) == 2
    assert "Use one of csv, jsonl, parquet, llava" in capsys.readouterr().err
