"""The dozen demo micrographs, from fixed seeds: `python -m training.synthesis.demo FOLDER`.

Eleven can be read and one is torn on purpose. A sample stands beside each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glassllava.sample import Sample
from training.synthesis.files import write_tiff
from training.synthesis.generator import Plan, generate
from training.synthesis.truth import SyntheticMicrograph


@dataclass(frozen=True, slots=True)
class DemoMicrograph:
    """One file of the demo: `kept` is the share of its bytes that is left (1: all)."""

    name: str
    seed: int
    plan: Plan
    shows: str
    kept: float = 1.0


def _plan(
    feature: str,
    vendor: str,
    sample: Sample,
    *,
    bits: int = 8,
    detector: str = "SE",
    view: str | None = None,
    pixel_size: float,
    artefacts: tuple[str, ...] = (),
    size: tuple[int, int] = (704, 1024),
    databar: bool = True,
) -> Plan:
    return Plan(
        features=(feature,),
        artefacts=artefacts,
        specimen=sample,
        size=size,
        bits=bits,
        vendor=vendor,
        detector=detector,
        view=view,
        pixel_size_m=pixel_size,
        databar=databar,
    )


DEMO: tuple[DemoMicrograph, ...] = (
    DemoMicrograph(
        "float_07",
        307,
        _plan(
            "crack_through",
            "thermo",
            Sample(
                id="F-1042-07",
                lot="2026-W47",
                site="centre, air side",
                material="soda-lime float glass",
                composition="72 SiO2, 14 Na2O, 9 CaO, 4 MgO (wt%)",
                process="annealed",
                product="finished pane",
                preparation="as received, 5 nm C",
            ),
            view="surface",
            pixel_size=4.2e-8,
        ),
        "a through-crack in a finished float pane",
    ),
    DemoMicrograph(
        "float_devit_03",
        123,
        _plan(
            "devit_devitrite",
            "zeiss",
            Sample(
                id="F-1039-03",
                lot="2026-W45",
                site="edge, air side",
                material="float glass",
                process="annealed",
                notes="haze along the edge after a long stop",
            ),
            view="surface",
            pixel_size=1.1e-7,
        ),
        "devitrite fans on float glass",
    ),
    DemoMicrograph(
        "lens_02",
        12,
        _plan(
            "bubble",
            "zeiss",
            Sample(
                id="L-88-02",
                material="optical glass",
                composition="N-BK7 type",
                product="finished lens",
                site="field 2 of 5",
            ),
            detector="BSE",
            view="polished",
            pixel_size=2.6e-7,
        ),
        "bubbles in a lens",
    ),
    DemoMicrograph(
        "foam_11",
        131,
        _plan(
            "foam_cell",
            "thermo",
            Sample(
                id="FO-11",
                material="foam glass",
                process="foamed 850 °C, SiC",
                preparation="sawn, blown clean, Au coated",
                product="insulation block",
            ),
            view="fracture",
            pixel_size=4.0e-6,
        ),
        "the cells of a foam glass, which are the product",
    ),
    DemoMicrograph(
        "press_ingot_04",
        44,
        _plan(
            "gc_lithium_disilicate",
            "thermo",
            Sample(
                id="LD-04",
                material="lithium disilicate dental glass-ceramic",
                process="pressed 920 °C",
                state="fully crystallised",
                preparation="etched 2 % HF, 30 s, Au coated",
            ),
            bits=16,
            view="etched",
            pixel_size=1.6e-8,
            size=(672, 960),
        ),
        "interlocked lithium disilicate rods, by design",
    ),
    DemoMicrograph(
        "labware_09",
        59,
        _plan(
            "phase_sep_interconnected",
            "thermo",
            Sample(
                id="B-33-09",
                lot="2026-W31",
                material="borosilicate labware glass",
                process="held 620 °C, 48 h",
                preparation="etched 0.5 % HF, 10 s, Pt coated",
            ),
            bits=16,
            view="etched",
            pixel_size=6.0e-9,
            size=(672, 960),
        ),
        "coarse interconnected phase separation in borosilicate glass",
    ),
    DemoMicrograph(
        "vickers_10N_01",
        161,
        _plan(
            "crack_radial",
            "thermo",
            Sample(
                id="H-10N-01",
                material="float glass",
                process="Vickers indentation test, 10 N",
                preparation="5 nm C",
            ),
            view="surface",
            pixel_size=1.3e-7,
        ),
        "a Vickers impression with radial cracks, the test's result",
    ),
    DemoMicrograph(
        "bend_bar_05",
        475,
        _plan(
            "fracture_mirror",
            "zeiss",
            Sample(
                id="BB-05",
                material="borosilicate",
                process="four-point bend test",
                preparation="rinsed in ethanol, Au/Pd coated",
            ),
            view="fracture",
            pixel_size=9.0e-7,
        ),
        "mirror, mist and hackle of a bend bar",
    ),
    DemoMicrograph(
        "temper_origin_02",
        482,
        _plan(
            "nickel_sulfide",
            "thermo",
            Sample(
                id="T-02",
                material="float glass",
                process="thermally toughened",
                position="mid thickness",
                notes="broke eight months after glazing",
            ),
            bits=16,
            detector="BSE",
            view="polished",
            pixel_size=3.0e-7,
            size=(672, 960),
        ),
        "a nickel sulfide ball in tempered glass",
    ),
    DemoMicrograph(
        "low_e_06",
        196,
        _plan(
            "coating_pinhole",
            "plain",
            Sample(
                id="C-06",
                lot="2026-W44",
                material="low-E coated pane",
                site="edge",
                preparation="plan view, uncoated",
            ),
            view="coated",
            pixel_size=6.0e-8,
            size=(480, 640),
            databar=False,
        ),
        "pinholes in a coating; no scale in the file",
    ),
    DemoMicrograph(
        "vial_inner_03",
        103,
        _plan(
            "featureless_surface",
            "zeiss",
            Sample(
                id="V-03",
                lot="2026-W40",
                material="type I vial",
                position="inner wall",
                preparation="uncoated, 5 kV",
            ),
            view="surface",
            pixel_size=5.5e-8,
            artefacts=("art_charging_streak",),
        ),
        "a clean inner wall under charging streaks: an artefact, no feature",
    ),
    DemoMicrograph(
        "vial_inner_04",
        104,
        _plan(
            "pit",
            "thermo",
            Sample(id="V-04", lot="2026-W40", material="type I vial", position="inner wall"),
            view="surface",
            pixel_size=5.5e-8,
            size=(480, 640),
        ),
        "torn in copying: the file ends in the middle and cannot be read",
        kept=0.45,
    ),
)


def make(entry: DemoMicrograph) -> SyntheticMicrograph:
    return generate(entry.seed, plan=entry.plan)


def write_demo(folder: str | Path) -> list[Path]:
    """The dozen TIFFs and their samples, written into `folder`; the paths of the TIFFs."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for entry in DEMO:
        path = write_tiff(make(entry), folder / f"{entry.name}.tif", compression="deflate")
        if entry.kept < 1:
            whole = path.read_bytes()
            path.write_bytes(whole[: int(len(whole) * entry.kept)])
        sample = entry.plan.specimen
        assert isinstance(sample, Sample)
        path.with_suffix(".sample.toml").write_text(sample_toml(sample), "utf-8")
        paths.append(path)
    return paths


def sample_toml(sample: Sample) -> str:
    """The sample as a person would write it: only the keys that say something."""
    given = {key: value for key, value in sample.to_json().items() if value}
    # A JSON string of printable text is a TOML basic string, and a list of them an array.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in given.items()
    )


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m training.synthesis.demo FOLDER", file=sys.stderr)
        return 2
    for path in write_demo(arguments[0]):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
