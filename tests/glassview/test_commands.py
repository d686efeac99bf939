"""ask, doctor and demo, with the scripted model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from glassllava.interpretation import Interpretation
from glassview import cli


@pytest.fixture
def micrograph(tmp_path: Path) -> Path:
    path = tmp_path / "grey.tif"
    noise = np.random.default_rng(7).normal(120, 8, (96, 128)).clip(0, 255).astype(np.uint8)
    tifffile.imwrite(path, noise)
    return path


def test_ask_prints_the_record(micrograph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["ask", str(micrograph), "Pores?", "--model", "scripted", "--context", "none", "--json"]
    assert cli.main(argv) == 0
    record = Interpretation.from_json(json.loads(capsys.readouterr().out))
    assert record.question == "Pores?"
    assert record.context_asked == "none"
    assert any("unreliable" in warning for warning in record.warnings)


def test_ask_with_literature_and_a_sample(
    micrograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = tmp_path / "sample.toml"
    sample.write_text('material = "soda-lime float glass"\n')
    argv = ["ask", str(micrograph), "Are there crystals?", "--model", "scripted", "--json"]
    assert cli.main([*argv, "--sample", str(sample)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sample"]["material"] == "soda-lime float glass"
    assert record["passages"]


def test_ask_tells_the_difference_to_a_blank_picture(
    micrograph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["ask", str(micrograph), "x", "--model", "scripted", "--context", "none", "--blank"]
    assert cli.main(argv) == 0
    assert "over a blank picture, which gives 0.50" in capsys.readouterr().out
    assert cli.main([*argv, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["over_blank"]["blank"] == 0.5
    assert record["reply"]["blank_verdict"] is not None


def test_ask_in_words(micrograph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", str(micrograph), "x", "--model", "scripted", "--context", "none"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{micrograph}: UNDECIDED")
    assert "script, not a model" in out
    assert "safety-critical" in out


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["ask", "missing.tif", "x", "--context", "none"], "UnreadableMicrograph"),
        (["ask", "{image}", "x", "--context", "much"], "BadInput"),
        (["ask", "{image}", "x", "--sample", "missing.toml"], "BadInput"),
        (["ask", "{image}", "x", "--settings", "missing.toml"], "BadInput"),
        (["ask", "{image}", "x", "--model", "nowhere/at/all"], "ModelUnavailable"),
    ],
)
def test_ask_refuses(
    micrograph: Path, argv: list[str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [word.format(image=micrograph) for word in argv]
    assert cli.main([*argv, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == kind


def test_doctor_looks_everything_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSVIEW_DATA_DIR", str(tmp_path / "data"))
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    parts = {check["part"]: check for check in report["checks"]}
    assert {"Python", "memory", "numpy", "torch", "embedded model", "literature"} <= parts.keys()
    assert parts["numpy"]["found"] == np.__version__
    assert report["ok"] == all(check["state"] == "ok" for check in report["checks"])
    assert not (tmp_path / "data").exists()


def test_doctor_names_what_to_install() -> None:
    from glassview.doctor import _library

    check = _library("nothing", "a_library_that_is_not_there", "report", "PDF reports")
    assert check.state == "missing"
    assert check.remedy.endswith("pip install 'glassview[report]'")


def test_doctor_says_where_it_cannot_write(tmp_path: Path) -> None:
    from glassview.doctor import _folder

    file = tmp_path / "file"
    file.write_text("")
    assert _folder("data folder", tmp_path / "new" / "deep").state == "ok"
    refused = _folder("data folder", file / "below")
    assert refused.state == "missing"
    assert "GLASSVIEW_DATA_DIR" in refused.remedy


@pytest.mark.parametrize(
    ("failed", "as_announced"),
    [
        ({"torn.tif"}, True),
        ({"torn.tif", "good.tif"}, False),
        (set(), False),
        ({"good.tif"}, False),
    ],
)
def test_demo_expects_the_announced_failures_and_no_other(
    failed: set[str], as_announced: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    from glassview.commands import _tell_failures

    assert _tell_failures(dict.fromkeys(failed, "why"), {"torn.tif"}) is as_announced
    assert ("not meant" in capsys.readouterr().err) is ("good.tif" in failed)


def test_the_announced_file_is_bundled_and_cannot_be_read() -> None:
    from importlib import resources

    from glassllava.errors import UnreadableMicrograph
    from glassllava.micrograph.reading import pixels, read_micrograph
    from glassview.commands import _announced

    folder = Path(str(resources.files("glassview"))) / "demo"
    for path in folder.glob("*.tif"):
        if path.name in _announced(folder):
            with pytest.raises(UnreadableMicrograph):
                pixels(read_micrograph(path))
        else:
            read_micrograph(path, with_hash=False)


@pytest.mark.proof
def test_demo_leaves_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSVIEW_MODEL__REFERENCE", "scripted")
    assert cli.main(["demo", "-o", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    report = Path(out.splitlines()[-1])
    assert report == (tmp_path / "run" / "report.pdf").resolve()
    assert report.read_bytes().startswith(b"%PDF-")
    assert "synthetic" in err
