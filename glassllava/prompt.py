"""The enquiry: one micrograph made ready for the model, and every word it is asked with.

One shared prefix (sample, settings, measurements, passages, as far as the context level tells
them), then one yes/no probe for each probe key, one verdict probe, a request to describe and the
person's question. A passage is data: it is quoted between its number and its end, never obeyed.
How a checkpoint wraps these words in its chat template is not known here (`model`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassllava import features
from glassllava.literature import LeftOut
from glassllava.measurement.quantities import Measurement, Measurements, in_words
from glassllava.quotation import LONGEST_LOCATOR, harmless
from glassllava.sample import ContextLevel, Sample
from glassllava.scope import IN_SCOPE, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glassllava.literature import Passage
    from glassllava.micrograph.record import Micrograph

DEFAULT_QUESTION = "What is on this micrograph, and is it a defect for this sample?"

_PROBE = "Is there any {name}? Answer yes or no."
_VERDICT = "Is there a defect for this sample? Answer yes or no."
_DESCRIBE = "Describe what is on the micrograph."
_SAMPLE_LINES = (
    ("material", "Material"),
    ("composition", "Composition"),
    ("process", "Process"),
    ("treatment", "Treatment"),
    ("preparation", "Preparation"),
    ("product", "Product"),
    ("state", "State"),
    ("position", "Position"),
    ("layer", "Layer"),
    ("notes", "Notes"),
)
_EXPECTED = "Intended here: {names}."
_MEASURED = "Measured: {values}."
_PASSAGE = "[{number}] {text} ({locator})"
_PASSAGES = "From the literature:"

_TEMPLATES = (
    *(_PROBE, _VERDICT, _DESCRIBE, _SAMPLE_LINES, _EXPECTED, _MEASURED, _PASSAGE, _PASSAGES),
    *sorted(features.PARENTS.items()),
)
TEMPLATES_SHA256 = hashlib.sha256(json.dumps(_TEMPLATES).encode()).hexdigest()

_LONGEST_QUERY = 600

#: Quantities that a prompt tells, most telling first; the rest stay in the record alone.
_TOLD = (
    "crack_length_total",
    "crack_width_median",
    "pore_count",
    "pore_equivalent_diameter_median",
    "pore_area_fraction",
    "particle_count",
    "particle_equivalent_diameter_median",
)

#: Measured features that the literature is asked about: search was tuned on these. The others
#: are found on many a micrograph that is about something else.
_SOUGHT = ("pore", "particle", "crack")


#: Bytes of UTF-8 for each token where a model's tokenizer is not at hand: English takes about
#: four, Chinese about three, so that the estimate errs to the safe side.
_BYTES_PER_TOKEN = 3


def estimated_tokens(text: str) -> int:
    """How many tokens `text` may be, at three bytes of UTF-8 each, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the literature a prompt has room for; `count` gives a text's length in `unit`."""

    limit: int
    unit: str = "characters"
    count: Callable[[str], int] = len

    @classmethod
    def estimated(cls, limit: int) -> Budget:
        """Tokens of a model whose tokenizer is not here."""
        return cls(limit, "tokens, as estimated from the text's bytes", estimated_tokens)

    @property
    def in_words(self) -> str:
        return f"{self.limit:,} {self.unit}"


@dataclass(frozen=True, slots=True)
class Enquiry:
    """One micrograph made ready for the model. Small: the pixels stay in the file."""

    micrograph: Micrograph
    sample: Sample
    question: str
    level_asked: ContextLevel
    level_given: ContextLevel
    measurements: Measurements
    passages: tuple[Passage, ...]
    query: str
    prefix: str
    probes: tuple[tuple[str, str], ...]
    verdict_text: str
    describe_text: str
    want_text: bool = True
    want_blank: bool = False
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    #: What speaks against an SEM micrograph: no word of it is told to the model.
    scope: Scope = IN_SCOPE

    @property
    def prompt_sha256(self) -> str:
        words = [self.prefix, self.probes, self.verdict_text]
        words += [self.describe_text, self.question] if self.want_text else []
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def probe_text(key: str) -> str:
    return _PROBE.format(name=features.name_of(key))


def compose(
    micrograph: Micrograph,
    sample: Sample,
    question: str,
    level: ContextLevel,
    *,
    measurements: Measurements,
    passages: tuple[Passage, ...],
    query: str,
    probe_keys: Iterable[str],
    passage_budget: Budget,
    want_text: bool = True,
    want_blank: bool = False,
    warnings: tuple[str, ...] = (),
    left_out: tuple[LeftOut, ...] = (),
    scope: Scope = IN_SCOPE,
) -> Enquiry:
    """Every word of one enquiry.

    `passages` are in order, the strongest first; those that `passage_budget` has no room for are
    left out, the weakest first, and the enquiry names them in `left_out` with the reason.
    """
    kept, over = _within(passages, passage_budget) if level == "high" else ((), ())
    return Enquiry(
        micrograph=micrograph,
        sample=sample,
        question=question or DEFAULT_QUESTION,
        level_asked=level,
        level_given=level_given(level, sample),
        measurements=measurements,
        passages=kept,
        query=query if level == "high" else "",
        prefix=_prefix(micrograph, sample, level, measurements, kept),
        probes=tuple((key, probe_text(key)) for key in probe_keys),
        verdict_text=_VERDICT,
        describe_text=_DESCRIBE,
        want_text=want_text,
        want_blank=want_blank,
        warnings=warnings,
        left_out=left_out + over,
        scope=scope,
    )


def literature_query(question: str, sample: Sample, measurements: Measurements) -> str:
    """What is asked of the literature, in words: shown to the person and kept in the record.

    The question, what was measured, then the sample: a long line is cut at its end, since an
    embedder reads only so much and more words thin the meaning of the first.
    """
    seen = dict.fromkeys(
        features.name_of(m.feature)
        for m in measurements.measurements
        if m.feature in _SOUGHT and m.value > 0
    )
    told = [sample.material, sample.process, sample.treatment, sample.product, sample.state]
    parts = [question if question != DEFAULT_QUESTION else "", *seen, *told]
    line = " ".join(" ".join(parts).split()) or "defects of glass seen under the SEM"
    return line if len(line) <= _LONGEST_QUERY else line[:_LONGEST_QUERY].rsplit(" ", 1)[0]


def level_given(level: ContextLevel, sample: Sample) -> ContextLevel:
    """The level that the sample could fill: asking for context does not make it known.

    Settings, measurements and passages are told by the level asked for all the same.
    """
    if level == "none" or sample == Sample():
        return "none"
    if level != "basic" and sample == Sample(material=sample.material):
        return "basic"
    return level


def _within(
    passages: tuple[Passage, ...], budget: Budget
) -> tuple[tuple[Passage, ...], tuple[LeftOut, ...]]:
    """The strongest passages that fit together, and the others with the reason.

    A passage that no room would be enough for is passed over: a long one must not hide the rest.
    """
    kept: list[Passage] = []
    over: list[LeftOut] = []
    room, is_full = budget.limit, False
    for passage in passages:
        length = budget.count(passage.text)
        if length > budget.limit:
            over.append(LeftOut(passage.id, passage.locator, f"longer than {budget.in_words}"))
            continue
        is_full = is_full or length > room
        if is_full:
            reason = f"the prompt holds {budget.in_words} of literature"
            over.append(LeftOut(passage.id, passage.locator, reason))
            continue
        room -= length
        kept.append(passage)
    return tuple(kept), tuple(over)


def _prefix(
    micrograph: Micrograph,
    sample: Sample,
    level: ContextLevel,
    measurements: Measurements,
    passages: tuple[Passage, ...],
) -> str:
    if level == "none":
        return ""
    if level == "basic":
        return f"Material: {_one_line(sample.material)}." if sample.material else ""
    lines = [
        f"{label}: {_one_line(value)}."
        for name, label in _SAMPLE_LINES
        if (value := getattr(sample, name))
    ]
    if sample.expected:
        names = ", ".join(features.name_of(key) for key in sample.expected)
        lines.append(_EXPECTED.format(names=names))
    if settings := _settings_words(micrograph):
        lines.append(settings)
    if level == "high":
        told = [
            m for quantity in _TOLD for m in measurements.measurements if m.quantity == quantity
        ]
        if told:
            lines.append(_MEASURED.format(values="; ".join(map(_measured_words, told))))
        if passages:
            lines.append(_PASSAGES)
            lines += [
                _PASSAGE.format(
                    number=number,
                    text=_one_line(p.text),
                    locator=harmless(p.locator)[:LONGEST_LOCATOR],
                )
                for number, p in enumerate(passages, start=1)
            ]
    return "\n".join(lines)


def _settings_words(micrograph: Micrograph) -> str:
    beam, words = micrograph.beam, []
    if beam.detector or beam.signal:
        words.append(f"detector {beam.signal or beam.detector}")
    if beam.voltage_v:
        words.append(f"{beam.voltage_v / 1e3:.3g} kV")
    if micrograph.pixel_size:
        width = micrograph.pixel_size.value_m * micrograph.width
        words.append(f"field {in_words(width, 'm')} wide")
    else:
        words.append("no scale")
    return f"Microscope: {', '.join(words)}."


def _measured_words(measurement: Measurement) -> str:
    name = measurement.quantity.replace("_", " ")
    return f"{name} {in_words(measurement.value, measurement.unit)}"


def _one_line(text: str) -> str:
    """A person's or a paper's words: they forge no line, no number and no mark of the prompt."""
    return harmless(text).rstrip(".")
