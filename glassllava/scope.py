"""Whether a picture is one that the product judges: an SEM's, by pixels, header, words.

Knows which words and figures name another instrument, and how sure a sign is; asks no model. What
the pixels say is `micrograph.kinds`'. Knows nothing of glass: a material that is none is
`sample.understand`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassllava.micrograph.header import ION
from glassllava.sample import ContextLevel, Sample

if TYPE_CHECKING:
    import numpy as np

    from glassllava.micrograph.record import Micrograph

#: Part of the `judged` fingerprint; raised when a reason may change.
VERSION = 1

#: How a reason begins that leaves the verdict undecided, and one that warns alone.
NOT_SEM = "The picture is no SEM micrograph: "
MAYBE_NOT_SEM = "The picture may be no SEM micrograph: "

#: No scanning microscope accelerates to more: theirs end at 30 or 40 kV.
_TRANSMISSION_V = 60_000.0
#: Finer than any scanning microscope's beam by an order of magnitude.
_FINEST_PIXEL_M = 3e-11
_TRANSMISSION = re.compile(
    r"\b(?:hr-?tem|s?tem[ -](?:image|micrograph|picture|bright|dark)|(?:image|micrograph|picture)"
    r" (?:by|from|of|in) (?:a |the )?tem\b|transmission electron (?:micro\w+|image)|saed|"
    r"selected[ -]area (?:electron )?diffraction|haadf|lattice fringes?)",
    re.IGNORECASE,
)
_TRANSMISSION_MODELS = re.compile(
    r"\b(?:titan|tecnai|talos|themis|spectra|jem-?\d|hf-?3300|hd-?2\d00|libra|cm[123]00)\b",
    re.IGNORECASE,
)
_OTHER_WORDS = re.compile(
    r"\b(?:optical micrograph|light micro(?:graph|scope|scopy)|optical micro(?:scope|scopy)|"
    r"digital microscope|photograph|afm (?:image|scan)|eds map|x-ray map)\b",
    re.IGNORECASE,
)
_FIELDS = ("preparation", "notes", "treatment", "process")


@dataclass(frozen=True, slots=True)
class Scope:
    """Why a picture is out of scope: `sure` reasons leave the verdict undecided, `unsure` warn."""

    sure: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sure ones as sentences of a verdict."""
        return tuple(NOT_SEM + reason for reason in self.sure)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every one as a sentence."""
        return (*self.reasons, *(MAYBE_NOT_SEM + reason for reason in self.unsure))


#: Nothing speaks against the picture, or nobody has looked.
IN_SCOPE = Scope()


def look(
    micrograph: Micrograph,
    sample: Sample,
    level: ContextLevel,
    frame: np.ndarray[Any, Any] | None = None,
) -> Scope:
    """What speaks against an SEM micrograph, by pixels, header and words.

    Parameters
    ----------
    micrograph : its header; where that names a beam, pixels only warn: a detector of an electron
        microscope made them, whatever they show.
    sample, level : its words are read where the level tells them (moderate and high).
    frame : the whole frame in grey where it is at hand; a colour picture is read again.

    Raises
    ------
    UnreadableMicrograph : where the pixels must be read and cannot be.
    """
    # NumPy and tifffile are slow to import: only where there are pixels to look at.
    from glassllava.micrograph import kinds, reading

    if frame is None or micrograph.samples > 1:
        frame = reading.pixels(micrograph)
    seen = Scope(*kinds.signs(frame[micrograph.specimen_rows]))
    if _is_beams(micrograph):
        seen = Scope(unsure=seen.sure + seen.unsure)
    told = _header(micrograph)
    words = _words(sample) if level in ("moderate", "high") else ()
    return Scope(told.sure + seen.sure, told.unsure + words + seen.unsure)


def _is_beams(micrograph: Micrograph) -> bool:
    """Whether the header says that a beam was scanned for this picture."""
    beam = micrograph.beam
    return beam.particle is not None or beam.voltage_v is not None


def _header(micrograph: Micrograph) -> Scope:
    """What the header says of another instrument; an ion beam makes an image, but another one."""
    beam, instrument = micrograph.beam, micrograph.instrument
    sure, unsure = [], []
    if beam.voltage_v is not None and beam.voltage_v >= _TRANSMISSION_V:
        sure.append(
            f"its header says {beam.voltage_v / 1e3:.0f} kV, as of a transmission microscope"
        )
    elif instrument.model and _TRANSMISSION_MODELS.search(instrument.model):
        unsure.append("its header names an instrument that transmits electrons")
    size = micrograph.pixel_size
    if size is not None and size.value_m < _FINEST_PIXEL_M:
        unsure.append(f"a pixel of {size.value_m * 1e9:.2g} nm is finer than a scanned beam")
    # Vendors' readers say it too where they know; the sentence is then said once.
    if beam.particle == "ion" and ION not in micrograph.warnings:
        unsure.append("an ion beam made it")
    return Scope(tuple(sure), tuple(unsure))


def _words(sample: Sample) -> tuple[str, ...]:
    told = " ".join(getattr(sample, name) for name in _FIELDS)
    reasons = []
    if _TRANSMISSION.search(told):
        reasons.append("the sample's words tell of a transmission micrograph")
    if _OTHER_WORDS.search(told):
        reasons.append("the sample's words tell of another kind of picture")
    return tuple(reasons)
