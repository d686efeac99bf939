"""Builds the one-folder bundle with PyInstaller and packs it as a .deb; `make installer` calls it.

Standard library only, beside PyInstaller and dpkg-deb. Says how long it took and how large it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build"
DIST = ROOT / "dist"

#: What the bundle links to and leaves to the system: the C library, graphics, fonts, X11.
DEPENDS = (
    "libc6 (>= 2.34)",
    "libgl1",
    "libegl1",
    "libglib2.0-0 | libglib2.0-0t64",
    "libfontconfig1",
    "libdbus-1-3",
    "libxkbcommon0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-keysyms1",
    "libxcb-shape0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
)


class Stop(Exception):
    """Something that must be put right first."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="pack this bundle instead of building one")
    args = parser.parse_args()
    begun = time.monotonic()
    try:
        if not shutil.which("dpkg-deb"):
            raise Stop("dpkg-deb is missing. On Debian or Ubuntu: apt-get install dpkg")
        bundle = args.bundle or build_bundle()
        say(begun, f"bundle: {_size(bundle) / 1e6:.0f} MB in {bundle}")
        if faults := unresolved(bundle):
            raise Stop("the bundle misses libraries:\n  " + "\n  ".join(faults))
        package = pack(bundle, DIST, version())
    except Stop as stop:
        print(f"installer: {stop}", file=sys.stderr)
        return 2
    say(begun, f"package: {package.stat().st_size / 1e6:.0f} MB")
    print(package)
    return 0


def version() -> str:
    text = (ROOT / "glassllava" / "__init__.py").read_text("utf-8")
    (found,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found


def build_bundle() -> Path:
    """PyInstaller's folder; refuses where Qt's X11 plugin would be left without its libraries."""
    binding = importlib.metadata.files("PySide6_Essentials") or ()
    plugins = [Path(str(f.locate())) for f in binding if f.name.startswith("libqxcb")]
    missing = [line for plugin in plugins for line in _not_found(plugin)]
    if missing:
        raise Stop(
            f"Qt's X11 plugin misses {', '.join(sorted(set(missing)))}, and the bundle would too. "
            "`python dev.py installer --system` installs them"
        )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--distpath", str(BUILD / "bundle"), "--workpath", str(BUILD / "work")),
            str(HERE / "glassview.spec"),
        ],
        check=False,
    )
    if done.returncode:
        raise Stop("PyInstaller failed; its message stands above")
    return BUILD / "bundle" / "glassview"


def unresolved(bundle: Path) -> list[str]:
    """Libraries of the bundle that link to what neither it nor this system has."""
    inside = {path.name for path in bundle.rglob("*.so*")}
    faults = []
    for path in sorted(bundle.rglob("*.so*")):
        if path.is_symlink() or not path.is_file():
            continue
        faults += [
            f"{path.relative_to(bundle)} needs {name}"
            for name in _not_found(path)
            if name not in inside
        ]
    return faults


def _not_found(library: Path) -> Iterator[str]:
    listed = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=False)
    return iter(re.findall(r"^\s*(\S+) => not found", listed.stdout, re.MULTILINE))


def pack(bundle: Path, target: Path, number: str, *, licences: bool = True) -> Path:
    """The .deb of `bundle`: /usr/lib/glassview, a command, a menu entry, an icon, the licences."""
    stage = BUILD / "deb"
    shutil.rmtree(stage, ignore_errors=True)
    program = stage / "usr/lib/glassview"
    program.parent.mkdir(parents=True)
    shutil.copytree(bundle, program, symlinks=True, copy_function=_link_or_copy)

    command = stage / "usr/bin/glassview"
    command.parent.mkdir(parents=True)
    command.symlink_to("../lib/glassview/glassview")
    _put(HERE / "glassview.desktop", stage / "usr/share/applications/glassview.desktop")
    _put(HERE / "glassview.svg", stage / "usr/share/icons/hicolor/scalable/apps/glassview.svg")
    documents = stage / "usr/share/doc/glassview"
    _put(ROOT / "NOTICE", documents / "NOTICE")
    _put(ROOT / "LICENSE", documents / "copyright")
    if licences:
        _collect_licences(documents / "licences")

    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    control = stage / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        "Package: glassview\n"
        f"Version: {number}\n"
        f"Architecture: {machine}\n"
        "Maintainer: The GlassView project <glassview@localhost>\n"
        f"Installed-Size: {_size(stage) // 1024}\n"
        f"Depends: {', '.join(DEPENDS)}\n"
        "Section: science\n"
        "Priority: optional\n"
        "Description: reads scanning electron microscope images of glass\n"
        " GlassView measures micrographs, looks up literature, asks GlassLLaVA, judges in\n"
        " context and reports, on this machine alone.\n",
        "utf-8",
    )
    (control / "md5sums").write_text("".join(_sums(stage)), "utf-8")
    for folder in [stage, *(path for path in stage.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)

    target.mkdir(parents=True, exist_ok=True)
    package = target / f"glassview_{number}_{machine}.deb"
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(stage), str(package)],
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise Stop("dpkg-deb failed; its message stands above")
    shutil.rmtree(stage)
    return package


def _link_or_copy(source: str, target: str) -> str:
    """A hard link where the file system allows it: the bundle is more than a gigabyte."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _collect_licences(folder: Path) -> None:
    """The licence files of everything that is installed here, one folder a library."""
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        for file in distribution.files or ():
            if re.match(r"(LICEN[CS]E|COPYING|NOTICE)", file.name, re.IGNORECASE):
                source = Path(str(file.locate()))
                if source.is_file() and source.suffix != ".py":
                    _put(source, folder / name / "_".join(file.parts[-2:]))


def _sums(stage: Path) -> Iterator[str]:
    for path in sorted(stage.rglob("*")):
        if path.is_file() and not path.is_symlink() and "DEBIAN" not in path.parts:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
            yield f"{digest.hexdigest()}  {path.relative_to(stage)}\n"


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def say(begun: float, text: str) -> None:
    print(f"[{(time.monotonic() - begun) / 60:4.1f} min] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
