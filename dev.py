"""Sets up and runs demo, test, check, proof and installer; the Makefile is its short form.

Standard library only, since it runs before anything is installed. It makes `.venv`, installs what
the job needs with the versions of `constraints.txt`, and remembers that by a hash, so that a second
run starts at once and needs no network. Progress goes to standard error: the last line of
`dev.py demo` on standard output is the path of the report.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / ".glassview-stamp.json"
PYTHONS = ((3, 11), (3, 12), (3, 13))
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
DISK_GB = 3

#: What Qt links to and its wheel does not bring; see `glassview doctor`.
QT_PACKAGES = (
    "libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0 fonts-dejavu-core "
    "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0"
)

_started = time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "job", choices=JOBS, help="; ".join(f"{n}: {f.__doc__}" for n, f in JOBS.items())
    )
    parser.add_argument(
        "--system", action="store_true", help="install missing system libraries too"
    )
    args, rest = parser.parse_known_args()
    os.chdir(ROOT)
    # Two libraries' spinning threads slow each other down on few cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PYTHONUTF8", "1")
    try:
        return JOBS[args.job](rest, args.system)
    except Stop as stop:
        say(str(stop))
        return 2
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        return 130


class Stop(Exception):
    """Something that the person must do first."""


# The jobs


def demo(rest: list[str], system: bool) -> int:
    """scan the bundled micrographs, with literature, and write the PDF report"""
    set_up("all")
    say("scanning the bundled micrographs")
    return run([tool("glassview"), "demo", "-o", "demo-run", *rest])


def test(rest: list[str], system: bool) -> int:
    """check, then the tests; further arguments go to pytest"""
    set_up("all,dev")
    codes = [*checks(), pytest(rest, system)]
    return first_failure(codes)


def check(rest: list[str], system: bool) -> int:
    """format, lint, types and import contracts"""
    set_up("all,dev")
    return first_failure(checks())


def proof(rest: list[str], system: bool) -> int:
    """check, and every test, the slow ones and those on real micrographs too"""
    if not os.environ.get("GLASSVIEW_REAL_MICROGRAPHS"):
        raise Stop("set GLASSVIEW_REAL_MICROGRAPHS to a folder of real SEM images: proof needs it")
    set_up("all,dev")
    return first_failure([*checks(), pytest(["-m", "", *rest], system)])


def installer(rest: list[str], system: bool) -> int:
    """build the one-folder bundle and its package for this platform, into dist/"""
    script = ROOT / "installers" / platform.system().lower() / "build.py"
    if not script.exists():
        raise Stop(f"there is no installer for {platform.system()} yet: see ROADMAP.md")
    set_up("all,installer")
    ensure_qt(system)
    return run([python(), str(script), *rest])


JOBS = {"demo": demo, "test": test, "check": check, "proof": proof, "installer": installer}


def checks() -> list[int]:
    return [
        step("format", [tool("ruff"), "format", "--check", "--quiet", "."]),
        step("lint", [tool("ruff"), "check", "--quiet", "."]),
        step("types", [python(), "-m", "mypy", "--no-error-summary"]),
        step("import contracts", [tool("lint-imports")], quiet=True),
    ]


def pytest(rest: list[str], system: bool) -> int:
    arguments = ["-m", "pytest", *rest]
    why = ensure_qt(system)
    if why:
        # pytest-qt ends the whole run where Qt cannot be loaded; tests/conftest.py leaves out the
        # tests that need it and says so.
        os.environ["GLASSVIEW_NO_QT"] = why
        arguments += ["-p", "no:pytest-qt"]
    return step("tests", [python(), *arguments])


def first_failure(codes: list[int]) -> int:
    return next((code for code in codes if code), 0)


# Setting up


def set_up(extras: str) -> None:
    """`.venv` with the product and `extras`, unless the stamp says that it is so already."""
    want = fingerprint()
    if all(read_stamp().get(extra) == want for extra in extras.split(",")):
        return
    if shutil.disk_usage(ROOT).free < DISK_GB * 1e9 and not STAMP.exists():
        say(f"less than {DISK_GB} GB of disk are free here: the set-up may not fit")
    make_venv()
    install_torch()
    say(f"installing glassview[{extras}] (a minute or two)")
    pip("install", "--no-compile", "-c", "constraints.txt", "-e", f".[{extras}]")
    kept = {name: value for name, value in read_stamp().items() if value == fingerprint()}
    kept.update(dict.fromkeys(extras.split(","), fingerprint()))
    STAMP.write_text(json.dumps(kept), "utf-8")
    say("set up")


def fingerprint() -> str:
    """The hash of what decides the set-up: pins, pyproject, and the Python of `.venv`."""
    digest = hashlib.sha256()
    for name in ("constraints.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    config = VENV / "pyvenv.cfg"
    text = config.read_text("utf-8") if config.exists() else ""
    digest.update("".join(re.findall(r"^(?:version|home)\b.*$", text, re.MULTILINE)).encode())
    # An editable install points at this folder: a copy elsewhere is another set-up.
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    try:
        data = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def make_venv() -> None:
    if Path(python()).exists():
        if (
            subprocess.run([python(), "-m", "pip", "--version"], capture_output=True).returncode
            == 0
        ):
            return
        say(".venv is broken (its Python has moved or it was cut short): making it again")
        shutil.rmtree(VENV)
    interpreter = find_python()
    say(f"making .venv with {interpreter}")
    if interpreter == sys.executable:
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            done = 1
        else:
            done = 0
    else:
        done = run([interpreter, "-m", "venv", str(VENV)])
    if done != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise Stop("Python's venv module does not work; on Debian: apt-get install python3-venv")


def find_python() -> str:
    """The running interpreter where its version is allowed, else the first allowed on the path."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for version in PYTHONS:
        name = shutil.which("python{}.{}".format(*version))
        if name and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0:
            return name
    raise Stop(
        f"GlassView needs Python 3.11, 3.12 or 3.13; this is {platform.python_version()}. "
        "Install 3.11 and run the command with it."
    )


def install_torch() -> None:
    """torch in a call of its own: on Linux the wrong wheel brings gigabytes of CUDA."""
    (pin,) = re.findall(
        r"^torch==\S+$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
    held = subprocess.run(
        [python(), "-c", "from importlib.metadata import version; print(version('torch'))"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    if held.partition("+")[0] == pin.partition("==")[2]:
        return
    say(f"installing {pin}")
    if platform.system() == "Linux" and not has_nvidia() and offers_only_cuda(pin):
        say("  pip's sources offer the CUDA build; asking PyTorch's own index for the CPU build")
        wanted = ("install", "--no-compile", "--no-deps", "--index-url", CPU_TORCH, pin)
        if pip(*wanted, "--timeout", "10", "--retries", "1", may_fail=True):
            return
        say("  it did not answer: taking what is configured (gigabytes)")
    pip("install", "--no-compile", "-c", "constraints.txt", pin)


def has_nvidia() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))


def offers_only_cuda(pin: str) -> bool:
    """Whether the wheel that pip would take for this machine asks for NVIDIA's libraries."""
    report = VENV / ".torch-offer.json"
    asked = (
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--report",
        str(report),
        pin,
    )
    if not pip(*asked, may_fail=True):
        return False
    try:
        (offer,) = json.loads(report.read_text("utf-8"))["install"]
        needs = offer["metadata"].get("requires_dist", [])
    except (OSError, ValueError, KeyError):
        return False
    finally:
        report.unlink(missing_ok=True)
    return any(re.match(r"(nvidia|cuda)-", need) for need in needs)


def ensure_qt(system: bool) -> str:
    """Why Qt cannot be loaded, or '' where it can; installs its libraries only where allowed."""
    why = qt_fault()
    if not why:
        return ""
    if platform.system() != "Linux" or not shutil.which("apt-get"):
        say(f"Qt cannot be loaded ({why}); its tests are left out")
        return why
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    prefix = [] if root else ["sudo", "-n"] if os.environ.get("CI") else ["sudo"]
    line = [*prefix, "apt-get", "install", "-y", "--no-install-recommends", *QT_PACKAGES.split()]
    say(f"Qt misses a library of this system ({why}). To install it, run:")
    say("  " + " ".join(line))
    if system or os.environ.get("CI"):
        run([*prefix, "apt-get", "update", "-q"])
        run(line)
        why = qt_fault()
    if why:
        say("its tests are left out")
    return why


def qt_fault() -> str:
    script = (
        "from PySide6.QtWidgets import QApplication; from PySide6 import QtSvg; QApplication([])"
    )
    done = subprocess.run(
        [python(), "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""


# Running


def python() -> str:
    return str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def tool(name: str) -> str:
    return str(VENV / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}"))


def pip(*arguments: str, may_fail: bool = False) -> bool:
    command = [python(), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, stdout=sys.stderr, stderr=subprocess.DEVNULL if may_fail else None
    )
    if done.returncode and not may_fail:
        raise Stop("pip could not install; its message stands above. The same command tries again.")
    return done.returncode == 0


def step(name: str, command: list[str], quiet: bool = False) -> int:
    """Run one check; with `quiet` its output is shown only where it fails."""
    begun = time.monotonic()
    if quiet:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout)
        code = done.returncode
    else:
        code = run(command)
    say(f"{name}: {'failed' if code else 'passed'} in {time.monotonic() - begun:.1f} s")
    return code


def run(command: list[str]) -> int:
    return subprocess.run(command).returncode


def say(text: str) -> None:
    print(f"[{time.monotonic() - _started:6.1f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
