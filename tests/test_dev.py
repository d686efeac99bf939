"""dev.py: what it decides before anything is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, in a folder of its own."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "stamp.json")
    (tmp_path / ".venv").mkdir()
    return module


def test_the_stamp_spares_the_set_up(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("set up again")

    monkeypatch.setattr(dev, "make_venv", refuse)
    dev.STAMP.write_text(json.dumps({"all": dev.fingerprint()}))
    dev.set_up("all")
    with pytest.raises(AssertionError, match="set up again"):
        dev.set_up("all,dev")
    (dev.ROOT / "constraints.txt").write_text("torch==2.13.1\n")
    with pytest.raises(AssertionError, match="set up again"):
        dev.set_up("all")


def test_a_damaged_stamp_is_no_stamp(dev: ModuleType) -> None:
    dev.STAMP.write_text("{")
    assert dev.read_stamp() == {}
    dev.STAMP.write_text("[]")
    assert dev.read_stamp() == {}


@pytest.mark.parametrize(
    ("needs", "cuda"),
    [
        (["filelock", "sympy>=1.13"], False),
        (["filelock", 'nvidia-cudnn-cu13==9; platform_system == "Linux"'], True),
        (["cuda-bindings>=13"], True),
    ],
)
def test_a_cuda_wheel_is_known_by_its_needs(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, needs: list[str], cuda: bool
) -> None:
    def offer(*arguments: str, may_fail: bool) -> bool:
        report = Path(arguments[arguments.index("--report") + 1])
        report.write_text(json.dumps({"install": [{"metadata": {"requires_dist": needs}}]}))
        return True

    monkeypatch.setattr(dev, "pip", offer)
    assert dev.offers_only_cuda("torch==2.13.0") is cuda


def test_the_first_failure_is_the_exit_code(dev: ModuleType) -> None:
    assert dev.first_failure([0, 0, 3, 1]) == 3
    assert dev.first_failure([0, 0]) == 0


def test_proof_needs_real_micrographs() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev.py", "proof"],
        capture_output=True,
        text=True,
        env={"PATH": "", "SYSTEMROOT": ""},
        check=False,
    )
    assert done.returncode == 2
    assert "GLASSVIEW_REAL_MICROGRAPHS" in done.stderr


def test_it_runs_on_the_standard_library_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "dev.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pytest" in done.stdout
