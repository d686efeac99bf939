"""Damaged and lying files: a micrograph, or one clear error; never a crash, a hang or a flood.

Every case is read in a process of its own, so that a crash of a codec, an endless loop and the
peak of memory are seen for what they are.
"""

from __future__ import annotations

import collections
import io
import os
import resource
import signal
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from glassllava.errors import UnreadableMicrograph
from glassllava.micrograph.reading import grey, read_micrograph
from tests import micrographs as write
from tests import mutations

#: What no case may pass: seconds of wall clock, and bytes above what the process had before.
_LONGEST_S = 5.0
_MOST_BYTES = 1 * 2**30
#: What a limit of the address space would hide as "unreadable" must show: so it is far above.
_ADDRESS_SPACE = 12 * 2**30

_FINE, _REFUSED, _BUG, _CRASH, _HANG, _FLOOD = "read", "refused", "bug", "crash", "hang", "flood"
_CODES = {0: _FINE, 10: _REFUSED, 11: _BUG}


@dataclass(frozen=True, slots=True)
class Seed:
    """A good file to be damaged: `sidecar` is the name and the text of what lies beside it."""

    name: str
    suffix: str
    data: bytes
    sidecar: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    label: str
    damage: str
    suffix: str
    data: bytes
    sidecar: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    kind: str
    seconds: float
    peak: int
    said: str


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return list(_seeds(tmp_path_factory.mktemp("seeds")))


def test_a_sample_of_damaged_files_is_read_or_refused(seeds, tmp_path):
    _verdict(_run(_cases(seeds, 150, first_seed=0), tmp_path))


@pytest.mark.proof
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_damaged_files_are_read_or_refused(seeds, tmp_path, part):
    outcomes = _run(_cases(seeds, 750, first_seed=10_000 * (part + 1)), tmp_path)
    print(_table(outcomes))
    _verdict(outcomes)


@pytest.mark.proof
def test_real_files_that_were_damaged_are_read_or_refused(real_micrographs, tmp_path):
    small = [p for p in sorted(real_micrographs.glob("*.tif*")) if p.stat().st_size < 2_000_000]
    seeds = [Seed(path.stem, path.suffix, path.read_bytes()) for path in small]
    outcomes = _run(_cases(seeds, 600, first_seed=90_000), tmp_path)
    print(_table(outcomes))
    _verdict(outcomes)


def _verdict(outcomes: list[Outcome]) -> None:
    wrong = [o for o in outcomes if o.kind not in (_FINE, _REFUSED)]
    told = [
        f"{o.kind}: {o.case.label}, {o.case.damage}, {o.seconds:.1f} s, {o.peak / 2**20:.0f} MB: "
        f"{o.said}"
        for o in wrong[:20]
    ]
    assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n" + "\n".join(told)
    # A reader that refuses everything, or that nothing could damage, proves nothing.
    kinds = collections.Counter(o.kind for o in outcomes)
    assert kinds[_FINE] > 0.05 * len(outcomes)
    assert kinds[_REFUSED] > 0.05 * len(outcomes)


def _table(outcomes: list[Outcome]) -> str:
    counts = collections.Counter((o.case.damage, o.kind) for o in outcomes)
    kinds = (_FINE, _REFUSED, _BUG, _CRASH, _HANG, _FLOOD)
    lines = ["", f"{'damage':22}" + "".join(f"{kind:>9}" for kind in kinds)]
    for damage in dict.fromkeys(o.case.damage for o in outcomes):
        lines.append(f"{damage:22}" + "".join(f"{counts[damage, kind]:9d}" for kind in kinds))
    lines.append(
        f"{len(outcomes)} files; longest {max(o.seconds for o in outcomes):.2f} s; "
        f"most memory {max(o.peak for o in outcomes) / 2**20:.0f} MB"
    )
    return "\n".join(lines)


def _cases(seeds: list[Seed], count: int, first_seed: int) -> Iterator[Case]:
    """`count` damaged files, the seeds and the kinds of damage by turns."""
    for number in range(count):
        rng = np.random.default_rng(first_seed + number)
        seed = seeds[number % len(seeds)]
        label = f"{seed.name} ({first_seed + number})"
        if seed.sidecar and rng.random() < 0.7:
            name, text = seed.sidecar
            if rng.random() < 0.5:
                damage, text = "a hostile side-car", mutations.hostile_text(rng)
            else:
                kinds = list(mutations.ANY_DAMAGE)
                damage = kinds[int(rng.integers(len(kinds)))]
                text = mutations.ANY_DAMAGE[damage](text, rng)
                damage = "a damaged side-car"
            yield Case(label, damage, seed.suffix, seed.data, (name, text))
            continue
        known = mutations.TIFF_DAMAGE if seed.suffix.startswith(".tif") else mutations.ANY_DAMAGE
        order = list(known)
        damage = order[(number // len(seeds)) % len(order)]
        try:
            data = known[damage](seed.data, rng)
        except (struct.error, LookupError, ValueError, OverflowError):
            # A real odd file is too odd already for this kind of damage.
            damage, data = "noise", mutations.scramble(seed.data, rng)
        yield Case(label, damage, seed.suffix, data, seed.sidecar)


def _run(cases: Iterator[Case], folder: Path) -> list[Outcome]:
    return [_outcome(case, folder) for case in cases]


def _outcome(case: Case, folder: Path) -> Outcome:
    path = folder / f"case{case.suffix}"
    path.write_bytes(case.data)
    beside = None
    if case.sidecar:
        beside = folder / case.sidecar[0].replace("NAME", "case")
        beside.write_bytes(case.sidecar[1])
    said, say = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(said)
        os._exit(_read_in_child(path, say))
    os.close(say)
    hung = False
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        # Three times the limit of processor time, for a machine that others keep busy.
        if time.monotonic() - begun > 3 * _LONGEST_S:
            hung = True
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(0.002)
    seconds = used.ru_utime + used.ru_stime
    before, _, words = _received(said).partition("\n")
    peak = max(0, used.ru_maxrss * 1024 - int(before or 0))
    if hung or seconds > _LONGEST_S:
        kind = _HANG
    elif os.WIFSIGNALED(status):
        kind, words = _CRASH, f"signal {os.WTERMSIG(status)}"
    elif peak > _MOST_BYTES:
        kind = _FLOOD
    else:
        kind = _CODES.get(os.WEXITSTATUS(status), _BUG)
    for used_file in (path, beside):
        if used_file is not None:
            used_file.unlink()
    return Outcome(case, kind, seconds, peak, words)


def _read_in_child(path: Path, say: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    os.write(say, f"{before}\n".encode())
    try:
        micrograph = read_micrograph(path)
        grey(micrograph)
        micrograph.to_json()
    except UnreadableMicrograph as error:
        # A reason that a person can read, and nothing of Python's.
        whole = bool(error.what) and "Traceback" not in error.what
        os.write(say, str(error).encode()[:2000])
        return 10 if whole else 11
    except BaseException as error:  # noqa: BLE001  (what a bug raises is what is looked for)
        os.write(say, f"{type(error).__name__}: {error}".encode()[:2000])
        return 11
    return 0


def _received(pipe: int) -> str:
    with os.fdopen(pipe, "rb") as file:
        return file.read().decode("utf-8", errors="replace")


def _seeds(folder: Path) -> Iterator[Seed]:
    """One good file of every layout and vendor that is read."""
    sections = write.thermo_sections(256, 192, pixel_m=2.5e-9)
    picture = write.specimen()
    small = {
        "thermo": write.write_tiff(
            folder / "thermo.tif", picture, {34682: write.thermo_text(sections)}
        ),
        "zeiss": write.write_tiff(
            folder / "zeiss.tif",
            picture,
            {34118: write.zeiss_text(write.zeiss_entries("2.5 nm", "0.6 nm", "640 nm"))},
            palette=True,
        ),
        "big-endian": write.write_tiff(
            folder / "big.tif", picture.astype(np.uint16) * 200, big_endian=True
        ),
        "strips": write.write_tiff(folder / "strips.tif", picture, rows_per_strip=8),
        "imagej": write.write_tiff(
            folder / "imagej.tif", picture, {270: b"ImageJ=1.53t\nunit=nm\n"}, resolution=(2, 5)
        ),
        "two pages": write.write_tiff(folder / "pages.tif", [picture, picture[:96]]),
    }
    for name, path in small.items():
        yield Seed(name, ".tif", path.read_bytes())
    colour = np.dstack([picture] * 3)
    for name, array, options in (
        ("deflate", picture, {"compression": "zlib", "rowsperstrip": 16}),
        ("lzw tiles", picture, {"compression": "lzw", "predictor": True, "tile": (64, 64)}),
        ("jpeg", picture, {"compression": "jpeg", "tile": (64, 64)}),
        ("packbits", picture, {"compression": "packbits", "rowsperstrip": 32}),
        ("zstd", picture.astype(np.uint16), {"compression": "zstd"}),
        ("planar", colour, {"planarconfig": "separate", "photometric": "rgb"}),
        ("bigtiff", picture, {"bigtiff": True}),
        ("float", picture.astype(np.float32), {}),
        ("bits", picture > 120, {"photometric": "minisblack"}),
        ("ome", picture, {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 2.5}}),
        ("json", picture, {"description": '{"image": {"pixel_size": {"x": 1e-9}}}'}),
    ):
        out = io.BytesIO()
        tifffile.imwrite(out, array, **options)
        yield Seed(name, ".tif", out.getvalue())
    with_tag = {
        "tescan tag": (50431, 7, b"\x18\x00\x00\x00\x02\x00PixelSizeX=1e-9\nA=2\n"),
        "fibics tag": (51023, 2, b"<Fibics><Scan><Ux>0.01</Ux></Scan></Fibics>"),
        "phenom tag": (34683, 2, b"<FeiImage><pixelWidth unit='nm'>5</pixelWidth></FeiImage>"),
        "sis tag": (33560, 7, b"SIS0" + bytes(200)),
    }
    for name, (code, kind, value) in with_tag.items():
        out = io.BytesIO()
        tifffile.imwrite(out, picture, extratags=[(code, kind, len(value), value, True)])
        yield Seed(name, ".tif", out.getvalue())
    plain = write.write_tiff(folder / "plain.tif", picture).read_bytes()
    beside = {
        "jeol": ("NAME.txt", b"$CM_FORMAT JEOL\n$CM_FULL_SIZE 256 192\n$$SM_MICRON_BAR 50\n"),
        "hitachi": ("NAME.txt", b"[SemImageFile]\r\nDataSize=256x192\r\nPixelSize=2.5\r\n"),
        "tescan": ("NAME-tif.hdr", b"[MAIN]\nPixelSizeX=2.5e-9\nPixelSizeY=2.5e-9\n"),
    }
    for name, sidecar in beside.items():
        yield Seed(f"{name} side-car", ".tif", plain, sidecar)
    for suffix, kind in ((".png", "PNG"), (".jpg", "JPEG"), (".bmp", "BMP")):
        out = io.BytesIO()
        Image.fromarray(picture).save(out, kind)
        yield Seed(kind, suffix, out.getvalue())
