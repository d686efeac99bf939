"""The .deb: packed from a stub bundle in seconds; the real bundle is `make installer`'s."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the .deb is built on Linux"),
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed"),
]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_deb", ROOT / "installers/linux/build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    return module


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "glassview"
    (folder / "_internal").mkdir(parents=True)
    program = folder / "glassview"
    program.write_text('#!/bin/sh\necho "stub $1"\n')
    program.chmod(0o755)
    (folder / "_internal/data.txt").write_text("data")
    return folder


def test_the_package_holds_the_program_and_its_papers(
    build: ModuleType, bundle: Path, tmp_path: Path
) -> None:
    package = build.pack(bundle, tmp_path / "dist", "1.2.3", licences=False)
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-R", package, root], check=True)

    done = subprocess.run([root / "usr/bin/glassview", "demo"], capture_output=True, text=True)
    assert done.stdout == "stub demo\n"
    assert (root / "usr/lib/glassview/_internal/data.txt").read_text() == "data"
    assert "Exec=glassview %F" in (root / "usr/share/applications/glassview.desktop").read_text()
    assert (root / "usr/share/icons/hicolor/scalable/apps/glassview.svg").exists()
    assert "LESSER" in (root / "usr/share/doc/glassview/NOTICE").read_text().upper()
    sums = subprocess.run(
        ["md5sum", "--check", "--quiet", root / "DEBIAN/md5sums"], cwd=root, check=False
    )
    assert sums.returncode == 0


def test_the_control_file_says_version_and_needs(
    build: ModuleType, bundle: Path, tmp_path: Path
) -> None:
    package = build.pack(bundle, tmp_path / "dist", "1.2.3", licences=False)
    shown = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True)
    fields = dict(line.split(": ", 1) for line in shown.stdout.splitlines() if line[0] != " ")
    assert fields["Version"] == "1.2.3"
    assert "libxcb-cursor0" in fields["Depends"]
    assert "libc6 (>= 2.34)" in fields["Depends"]


def test_a_library_that_is_nowhere_is_named(build: ModuleType, tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("gcc is not installed: no library to link wrongly")
    source = tmp_path / "x.c"
    source.write_text("int nowhere(void) { return 1; }\n")
    gone, kept = tmp_path / "libnowhere.so", tmp_path / "bundle/libkept.so"
    kept.parent.mkdir()
    subprocess.run([compiler, "-shared", "-o", gone, source], check=True)
    user = tmp_path / "y.c"
    user.write_text("int nowhere(void); int kept(void) { return nowhere(); }\n")
    subprocess.run([compiler, "-shared", "-o", kept, user, gone], check=True)
    assert build.unresolved(kept.parent) == []
    gone.unlink()
    (fault,) = build.unresolved(kept.parent)
    assert "libkept.so needs" in fault
    assert "libnowhere.so" in fault
