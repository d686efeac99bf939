"""A night: counted, resumed, judged again, failing where it must, losing nothing."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batch.ledger import Ledger
from batch.recipe import Recipe
from batch.scan import ScanResult, scan
from glassllava.calibration import Calibration
from glassllava.errors import BadInput, LiteratureUnavailable, RunUnavailable
from glassllava.interpreter import Judging
from glassllava.literature import NoLiterature
from glassllava.model.scripted import Script

Write = Callable[..., Path]
Make = Callable[..., Any]


def _scan(folder: Path, run: Path, model: Any, **more: Any) -> ScanResult:
    more.setdefault("literature", NoLiterature())
    return scan([folder], run, model=model, **more)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "night"


def test_every_micrograph_is_done_failed_or_skipped(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    for seed in range(3):
        write(f"m{seed}.tif", seed)
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.tif").write_text("this is not a picture")
    torn = write("torn.tif", 9)
    torn.write_bytes(torn.read_bytes()[:3000])
    before = _tree(folder)
    result = _scan(folder, run, make_model())
    assert (result.discovered, result.done, result.failed, result.skipped) == (6, 3, 3, 0)
    assert not result.partial
    assert all(failure.reason and failure.remedy for failure in result.failures)
    assert result.report == run / "report.pdf"
    names = {path.name for path in run.iterdir()}
    assert {"recipe.toml", "ledger.sqlite", "report.pdf", "thumbnails"} <= names
    table = _table(run / "micrographs.csv")
    assert [Path(row["path"]).name for row in table] == [
        "empty.tif", "m0.tif", "m1.tif", "m2.tif", "text.tif", "torn.tif",
    ]  # fmt: skip
    assert {row["verdict"] for row in table if row["state"] == "done"} == {"no_defect"}
    assert next(iter(table[0])) == "path"
    assert len(_table(run / "failures.csv")) == 3
    assert {row["feature"] for row in _table(run / "findings.csv")} == {"pore"}
    assert _tree(folder) == before, "nothing is written into the folder of micrographs"


def test_the_same_scan_again_asks_nothing(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    for seed in range(3):
        write(f"m{seed}.tif", seed)
    first, model = make_model(), make_model()
    _scan(folder, run, first)
    again = _scan(folder, run, model)
    assert (first.count, model.count) == (3, 0)
    assert (again.asked, again.judged, again.unchanged) == (0, 0, 3)
    write("m3.tif", 3)
    assert _scan(folder, run, model).asked == 1


def test_what_is_asked_anew_is_kept_beside_what_was(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("m.tif")
    model = make_model()
    _scan(folder, run, model)
    result = _scan(folder, run, model, recipe=Recipe(question="Is there a crack?"))
    assert result.asked == 1
    with Ledger.open(run) as ledger:
        (row,) = ledger.rows()
        questions = [kept.interpretation.question for kept in ledger.history(row.id)]
    assert len(questions) == 2
    assert questions[1] == "Is there a crack?"
    # A reply that lacks what is wanted now does not serve.
    assert _scan(folder, run, model, recipe=Recipe(question="Is there a crack?", blank=True)).asked


def test_other_judging_uses_the_kept_reply(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("m.tif")
    model = make_model()
    _scan(folder, run, model)
    strict = Recipe(judging=Judging(dispositions={"pore": "defect"}))
    result = _scan(folder, run, model, recipe=strict)
    assert (result.asked, result.judged, model.count) == (0, 1, 1)
    with Ledger.open(run) as ledger:
        ((row, kept),) = ledger.current()
        before, after = (each.interpretation for each in ledger.history(row.id))
    assert kept.interpretation == after
    assert (before.verdict.decision, after.verdict.decision) == ("no_defect", "defect")
    assert before.asked == after.asked
    assert before.judged != after.judged
    assert before.prompt_sha256 == after.prompt_sha256
    assert before.warnings == after.warnings


def test_a_feature_that_a_new_threshold_admits_comes_with_its_measurements(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("m.tif")
    model = make_model()
    _scan(folder, run, model, recipe=Recipe(judging=Judging(present={"pore": 0.95})))
    _scan(folder, run, model)
    with Ledger.open(run) as ledger:
        ((row, _),) = ledger.current()
        before, after = (each.interpretation for each in ledger.history(row.id))
    assert not before.present
    assert [finding.feature for finding in after.present] == ["pore"]
    assert after.present[0].regions
    assert after.present[0].measurements
    assert model.count == 1


def test_another_calibration_judges_again(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("m.tif")
    first = make_model()
    _scan(folder, run, first)
    levels = first.calibration.levels
    second = make_model(Calibration(levels, "1" * 64, first.calibration.templates_sha256, "other"))
    result = _scan(folder, run, second)
    assert (result.asked, result.judged, second.count) == (0, 1, 0)


class _Interrupted:
    """A model that is stopped, as by Ctrl-C, at its third enquiry."""

    def __init__(self, model: Any) -> None:
        self._model, self.calls = model, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def reply(self, enquiries: Any) -> Any:
        self.calls += len(enquiries)
        if self.calls >= 3:
            raise KeyboardInterrupt
        return self._model.reply(enquiries)


def test_an_interrupted_scan_goes_on_where_it_was(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    for seed in range(5):
        write(f"m{seed}.tif", seed)
    one = Recipe(batch=1)
    with pytest.raises(KeyboardInterrupt):
        _scan(folder, run, _Interrupted(make_model()), recipe=one)
    with Ledger.open(run) as ledger:
        assert ledger.counts() == {"pending": 3, "done": 2, "failed": 0, "skipped": 0}
    model = make_model()
    result = _scan(folder, run, model, recipe=one)
    assert (result.done, result.asked, result.unchanged, model.count) == (5, 3, 2, 3)


_NIGHT = """
import sys, time
from batch.recipe import Recipe
from batch.scan import scan
from glassllava.literature import NoLiterature
from glassllava.model.scripted import ScriptedModel

class Slow(ScriptedModel):
    def reply(self, enquiries):
        time.sleep(0.15)
        return super().reply(enquiries)

scan([sys.argv[1]], sys.argv[2], recipe=Recipe(batch=1), model=Slow(), literature=NoLiterature(),
     progress=lambda progress: print(progress.done, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_scan_loses_and_doubles_nothing(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    for seed in range(8):
        write(f"m{seed}.tif", seed)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_NIGHT), folder, run],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert told[-1].strip() == "3"
    with Ledger.open(run) as ledger:
        done = ledger.counts()["done"]
    assert 3 <= done < 8
    result = _scan(folder, run, make_model(), recipe=Recipe(batch=1))
    assert (result.done, result.unchanged + result.judged, result.asked) == (8, done, 8 - done)
    with Ledger.open(run) as ledger:
        asked = [k.interpretation.asked for row in ledger.rows() for k in ledger.history(row.id)]
    assert len(set(asked)) == 8


def test_failed_rows_are_tried_again_only_when_asked(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("good.tif")
    (folder / "later.tif").write_bytes(b"")
    assert _scan(folder, run, make_model()).failed == 1
    write("later.tif", 5)
    assert _scan(folder, run, make_model()).failed == 1
    result = _scan(folder, run, make_model(), retry_failed=True)
    assert (result.done, result.failed, result.asked) == (2, 0, 1)
    with Ledger.open(run) as ledger:
        assert [row.tries for row in ledger.rows()] == [1, 2]


def test_one_odd_reply_fails_its_row_and_no_other(
    folder: Path, run: Path, write: Write, make_model: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.tif", "b.tif", "c.tif"):
        write(name, ord(name[0]))

    class Faulty(type(make_model())):  # type: ignore[misc]
        def reply(self, enquiries: Any) -> Any:
            if any(e.micrograph.path.name == "b.tif" for e in enquiries):
                raise ZeroDivisionError("a bug in the backend")
            return super().reply(enquiries)

    model = Faulty(otherwise=Script({"pore": 0.9}))
    result = _scan(folder, run, model)
    assert (result.done, result.failed) == (2, 1)
    assert result.failures[0].reason == "ZeroDivisionError: a bug in the backend"
    assert "Traceback" in caplog.text


def test_a_number_that_is_none_fails_its_row_and_ends_no_night(
    folder: Path, run: Path, write: Write, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import glassllava.measurement as measuring

    write("a.tif", 1)
    write("b.tif", 2)
    write("c.tif", 3)
    plain = measuring.measure

    def measure(micrograph: Any, pixels: Any = None) -> Any:
        found = plain(micrograph, pixels)
        if micrograph.path.name != "b.tif":
            return found
        odd = measuring.Measurement("image_noise", float("nan"), "grey", None, "m", "artefact")
        return measuring.Measurements((odd,), found.regions)

    monkeypatch.setattr(measuring, "measure", measure)
    result = _scan(folder, run, make_model())
    assert (result.done, result.failed) == (2, 1)
    (failure,) = result.failures
    assert failure.path.endswith("b.tif")
    assert "cannot be kept" in failure.reason


def test_a_model_without_a_reply_fails_the_row_with_its_reason(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("a.tif"), write("b.tif", 1)
    from glassllava.model.scripted import ScriptedModel

    model = ScriptedModel({"a.tif": Script()}, otherwise=None)
    result = _scan(folder, run, model)
    assert (result.done, result.failed) == (1, 1)
    assert "no reply" in result.failures[0].reason


def test_a_bad_side_car_fails_its_micrograph_alone(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("a.tif"), write("b.tif", 1)
    (folder / "a.sample.toml").write_text('materail = "float"')
    result = _scan(folder, run, make_model())
    assert (result.done, result.failed) == (1, 1)
    assert "a.sample.toml" in result.failures[0].reason
    assert "material" in result.failures[0].remedy


def test_the_same_bytes_at_two_paths_are_two_rows(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("a.tif", 1), write("sub/b.tif", 1)
    assert _scan(folder, run, make_model()).done == 2
    table = _table(run / "micrographs.csv")
    assert table[0]["sha256"] == table[1]["sha256"]
    assert table[0]["path"] != table[1]["path"]


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_hostile_names_are_only_names(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    names = ["=cmd|' A0.tif", "new\nline.tif", "µm – 漢字.tif", "<b>&amp;.tif", "\u202ecod.tif"]
    for seed, name in enumerate(names):
        write(name, seed)
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.tif")).write_bytes(b"II*\x00")
    result = scan([folder], run, model=make_model(), literature=NoLiterature())
    assert (result.done, result.failed) == (5, 1)
    assert "UTF-8" in result.failures[0].reason
    assert {Path(row["path"]).name for row in _table(run / "micrographs.csv")} >= set(names)
    os.chdir(folder)
    relative = scan(["."], run.with_name("other"), model=make_model(), literature=NoLiterature())
    assert relative.done == 5


def test_no_cell_of_a_table_starts_a_formula() -> None:
    from batch.tables import to_csv

    row = {"a": "=1+1", "b": "-2.5", "c": "@x", "d": "-x", "e": "+1e3", "f": -1.5, "g": "\t=1"}
    assert to_csv(tuple(row), [row]).decode().splitlines()[1].split(",") == [
        "'=1+1", "-2.5", "'@x", "'-x", "+1e3", "-1.5", "'\t=1",
    ]  # fmt: skip


def test_a_run_keeps_to_the_library_it_began_with(
    folder: Path, run: Path, write: Write, make_model: Make, make_primer: Any
) -> None:
    write("a.tif")
    primer, model = make_primer(3), make_model()
    _scan(folder, run, model, literature=primer)
    primer.generation = 5
    write("b.tif", 1)
    result = _scan(folder, run, model, literature=primer)
    assert (result.asked, result.unchanged) == (1, 1)
    assert primer.asked_at == [3, 3]
    assert any("generation 3, now 5" in note for note in result.notes)
    assert _scan(folder, run, model, literature=primer, refresh=True).asked == 2
    assert primer.asked_at[2:] == [5, 5]


def test_without_the_high_level_no_library_is_opened(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("a.tif")
    result = scan([folder], run, model=make_model(), recipe=Recipe(context="moderate"))
    assert result.done == 1


def test_a_library_that_cannot_serve_the_run_ends_it(
    folder: Path, run: Path, write: Write, make_model: Make, make_primer: Any
) -> None:
    write("a.tif")

    class Lost(make_primer):  # type: ignore[misc]
        def pinned(self, generation: int) -> Any:
            raise LiteratureUnavailable("The library is gone")

    with pytest.raises(LiteratureUnavailable):
        _scan(folder, run, make_model(), literature=Lost())


def test_what_is_done_stays_done_when_its_file_goes(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    path = write("a.tif")
    write("b.tif", 1)
    _scan(folder, run, make_model())
    path.write_bytes(b"")
    result = _scan(folder, run, make_model())
    assert (result.done, result.failed) == (2, 0)
    assert any("a.tif" in note for note in result.notes)


def test_a_dry_run_writes_nothing(folder: Path, run: Path, write: Write, make_model: Make) -> None:
    write("a.tif")
    (folder / "bad.tif").write_bytes(b"")
    result = scan([folder], run, dry_run=True)
    assert [what for _, what in result.planned] == ["interpret", "interpret"]
    assert not run.exists()
    _scan(folder, run, make_model())
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if "ledger" not in p.name}
    plan = [what for _, what in scan([folder], run, dry_run=True).planned]
    assert plan[0].startswith("keep")
    assert plan[1].startswith("leave failed: The file is empty")
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if "ledger" not in p.name} == before


def test_a_folder_without_micrographs_is_refused(folder: Path, run: Path) -> None:
    (folder / "notes.txt").write_text("nothing here")
    with pytest.raises(BadInput, match="No micrograph"):
        scan([folder], run)
    assert not run.exists()


def test_a_run_that_cannot_be_made_is_refused(
    folder: Path, tmp_path: Path, write: Write, make_model: Make
) -> None:
    write("a.tif")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "night"):
        with pytest.raises(RunUnavailable) as caught:
            _scan(folder, place, make_model())
        assert caught.value.remedy


def test_two_scans_do_not_write_one_run(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    write("a.tif")
    with Ledger.open(run, create=True) as other:
        other.claim()
        with pytest.raises(RunUnavailable, match="Another scan"):
            _scan(folder, run, make_model())
    assert _scan(folder, run, make_model()).done == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot limit the size of files")
def test_a_full_disk_ends_the_scan_and_loses_nothing(
    folder: Path, run: Path, write: Write, make_model: Make
) -> None:
    import resource

    for seed in range(6):
        write(f"m{seed}.tif", seed)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # No file may grow beyond this, as on a disk that is full; the log reaches it first.
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
        with pytest.raises(RunUnavailable) as caught:
            _scan(folder, run, make_model(), recipe=Recipe(batch=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk" in caught.value.remedy or "room" in caught.value.remedy
    with Ledger.open(run) as ledger:
        done = ledger.counts()["done"]
    model = make_model()
    result = _scan(folder, run, model, recipe=Recipe(batch=1))
    assert (result.done, model.count) == (6, 6 - done)
    assert done > 0


def test_every_stage_of_a_night_is_timed(
    folder: Path, run: Path, write: Write, make_model: Make, make_primer: Any
) -> None:
    write("a.tif")
    started = time.perf_counter()
    _scan(folder, run, make_model(), literature=make_primer())
    spent = time.perf_counter() - started
    with Ledger.open(run) as ledger:
        ((_, kept),) = ledger.current()
    timing = kept.interpretation.timing
    assert {"read", "measure", "retrieve", "model", "conclude"} <= set(timing)
    assert 0 < sum(timing.values()) <= spent
