"""From state to screen, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batch.ledger import Review
from glassllava.interpretation import Interpretation
from glassllava.measurement.quantities import Measurement, Region
from glassllava.micrograph.record import BeamSettings, Databar, Instrument, Micrograph, PixelSize
from glassllava.model.scripted import Script
from glassllava.sample import Sample
from glassview import evidence, presenter
from glassview.session import Session, Sheet, Trouble

FEI = PixelSize(5e-9, "vendor_tag", "34682 [Scan] PixelWidth")
MICROGRAPH = Micrograph(Path("a.tif"), 0, 1024, 768, 16, pixel_size=FEI)


@pytest.mark.parametrize(
    ("zoom", "label", "length_px"),
    [(1.0, "500 nm", 100), (0.5, "1 µm", 200), (0.1, "5 µm", 1000), (40.0, "20 nm", 4)],
)
def test_the_scale_bar_is_the_longest_1_2_5_that_fits(
    zoom: float, label: str, length_px: float
) -> None:
    bar = presenter.scale_bar(FEI, zoom, longest=180)
    assert (bar.label, bar.is_calibrated) == (label, True)
    assert bar.length_px == pytest.approx(length_px)
    assert bar.length_px * zoom <= 180


def test_without_a_pixel_size_the_bar_is_in_px_and_says_so() -> None:
    bar = presenter.scale_bar(None, 0.58, longest=180)
    assert bar == presenter.ScaleBar(200, "200 px · uncalibrated", False)


def test_under_the_cursor_stand_lengths_from_the_pixel_size_and_counts() -> None:
    assert presenter.under_cursor(MICROGRAPH, 300, 100, 23412) == ("x 1.500  y 0.500 µm", "23,412")
    bare = replace(MICROGRAPH, pixel_size=None)
    assert presenter.under_cursor(bare, 300, 100, 0.125) == ("x 300  y 100 px", "0.125")
    tall = replace(MICROGRAPH, pixel_size=replace(FEI, value_y_m=1e-8))
    assert presenter.under_cursor(tall, 300, 100, 1)[0] == "x 1.500  y 1.000 µm"


def test_uncalibrated_is_said_in_plain_words() -> None:
    bare = replace(MICROGRAPH, pixel_size=None)
    assert presenter.calibration_words(bare) == ("uncalibrated: lengths in px", False)
    assert presenter.calibration_words(MICROGRAPH) == ("5 nm / px", True)
    (row,) = [row for row in evidence.metadata(bare) if row.label == "Pixel size"]
    assert row.is_warning
    assert "uncalibrated" in row.value


def test_pixels_that_are_not_square_are_shown_both_ways() -> None:
    size = PixelSize(5e-9, "vendor_tag", "the INI text", value_y_m=6e-9)
    square = PixelSize(5e-9, "ome", "ImageDescription")
    told = replace(MICROGRAPH, pixel_size=size, candidates=(size, square))
    assert presenter.calibration_words(told) == ("5 nm × 6 nm / px", True)
    rows = {row.label: row for row in evidence.metadata(told)}
    assert rows["Pixel size"].value == "5 nm × 6 nm"
    assert rows["Differing"].value == "5 nm", "they agree across the image and not down it"


def test_metadata_has_a_source_for_every_value() -> None:
    other = PixelSize(5.001e-9, "vendor_tag", "34682 [EScan] PixelWidth")
    far = PixelSize(9e-9, "imagej", "XResolution")
    told = replace(
        MICROGRAPH,
        candidates=(FEI, other, far),
        beam=BeamSettings(voltage_v=5000, current_a=5e-11, dwell_s=1e-6, tilt_rad=0.5),
        instrument=Instrument(vendor="Thermo Fisher / FEI", acquired="2022-11-01T15:40:01"),
        databar=Databar(700, 68, "pixels"),
        warnings=("The file has 2 pages: page 0 is read",),
    )
    rows = {row.label: row for row in evidence.metadata(told)}
    assert (rows["Pixel size"].source, rows["Pixel size"].origin) == ("vendor tag", FEI.origin)
    assert rows["Agreeing"].origin == "vendor tag 34682 [EScan] PixelWidth"
    assert rows["Differing"].is_warning
    assert rows["Differing"].value == "9 nm"
    assert rows["Voltage"].value == "5 kV"
    assert rows["Current"].value == "50 pA"
    assert rows["Dwell time"].value == "1 µs"
    assert rows["Tilt"].value == "28.6°"
    assert rows["Databar"].source == "seen in pixels"
    assert rows["Note"].is_warning
    without = {"Agreeing", "Note", "Databar"}
    assert all(row.source for label, row in rows.items() if label not in without)


def sheet_of(made: Interpretation | None = None, **changes: object) -> Sheet:
    sheet = Sheet(1, Path("/x/a.tif"), micrograph=MICROGRAPH, interpretation=made)
    if made is not None:
        sheet = replace(sheet, sample=made.sample, level=made.context_asked)
    return replace(sheet, **changes)  # type: ignore[arg-type]


def test_thumbnails_say_their_status_in_words_and_shapes(
    judged: Callable[..., Interpretation],
) -> None:
    made = judged()
    review = Review(1, "me", "2026-01-02T03:04:05+00:00", "no_defect", "wells")
    states = {
        "new": presenter.thumbnail(sheet_of()),
        "broken": presenter.thumbnail(sheet_of(trouble=Trouble("It is torn"))),
        "working": presenter.thumbnail(sheet_of(stage="Measuring")),
        "judged": presenter.thumbnail(sheet_of(made)),
        "overruled": presenter.thumbnail(sheet_of(made, review=review)),
        "refused": presenter.thumbnail(sheet_of(interpretation_trouble=Trouble("No model"))),
    }
    told = {name: (state.tone, state.words) for name, state in states.items()}
    assert told == {
        "new": ("plain", ""),
        "broken": ("failed", "cannot be read"),
        "working": ("plain", "interpreting"),
        "judged": ("defect", "defect"),
        "overruled": ("no_defect", "no defect"),
        "refused": ("failed", "not interpreted"),
    }
    assert [name for name, state in states.items() if state.is_reviewed] == ["overruled"]
    assert "It is torn" in states["broken"].tip
    shapes = set(presenter.MARKS.values())
    assert len(shapes) == len(presenter.MARKS), "every tone has a shape of its own"


def test_the_card_tells_probability_threshold_and_reasons(
    judged: Callable[..., Interpretation],
) -> None:
    card = evidence.verdict_card(sheet_of(judged()))
    assert card is not None
    assert (card.tone, card.title) == ("defect", "Defect")
    assert card.subtitle == "Model: 88 % that there is a defect; decided from 70 % confidence"
    assert card.probability == pytest.approx(0.88)
    assert any("pore" in reason.lower() for reason in card.reasons)
    assert not card.is_reviewed
    assert card.note == ""


def test_an_undecided_verdict_is_its_own_tone(judged: Callable[..., Interpretation]) -> None:
    unsure = judged(Script(probes={}, verdict=0.55))
    card = evidence.verdict_card(sheet_of(unsure))
    assert card is not None
    assert (card.tone, card.title) == ("undecided", "Undecided")


def test_an_overruled_card_keeps_what_was_judged_before(
    judged: Callable[..., Interpretation],
) -> None:
    review = Review(1, "Ada", "2026-01-02T03:04:05+00:00", "no_defect", "wells")
    card = evidence.verdict_card(sheet_of(judged(), review=review))
    assert card is not None
    assert (card.tone, card.title) == ("no_defect", "No defect")
    assert card.subtitle.startswith("Overruled; judged defect before.")
    assert card.review == "Overruled by Ada, 2026-01-02 03:04 UTC: wells"


def test_a_card_for_another_sample_says_so(judged: Callable[..., Interpretation]) -> None:
    card = evidence.verdict_card(sheet_of(judged(), sample=Sample(lot="9")))
    assert card is not None
    assert "interpret again" in card.note


def test_findings_come_worst_first_with_their_evidence(
    judged: Callable[..., Interpretation],
) -> None:
    rows = evidence.finding_rows(judged())
    assert [(row.feature, row.tone) for row in rows] == [
        ("pore", "defect"),
        ("particle", "no_defect"),
    ]
    assert rows[0].probability == "93 %"
    assert rows[0].citations == (1,)
    assert rows[0].regions == "8 regions measured"
    assert "Count 8" in rows[0].measurements
    assert any("µm" in words for words in rows[0].measurements)


def test_what_was_not_seen_is_told_without_certainty(
    judged: Callable[..., Interpretation],
) -> None:
    words = evidence.absent_words(judged(Script(probes={"crack": 0.2, "fibre": 0.001})))
    assert words.startswith("crack 20 %")
    assert "fibre < 1 %" in words
    assert " 0 %" not in words


def test_measurements_read_like_sentences() -> None:
    length = Measurement("pore_equivalent_diameter_median", 2.1e-6, "m", 1e-7, "circle", "pore")
    assert evidence.measurement_words(length) == "Equivalent diameter median 2.1 µm ± 0.1 µm"
    count = Measurement("pore_area_fraction", 0.0214, "1", 0.00435, "counted", "pore")
    assert evidence.measurement_words(count) == "Area fraction 0.0214 ± 0.0043"


def test_overlays_are_the_regions_of_what_is_present(
    judged: Callable[..., Interpretation],
) -> None:
    (overlay,) = presenter.overlays(judged())
    assert (overlay.feature, overlay.tone, len(overlay.regions)) == ("pore", "defect", 8)
    assert all(isinstance(region, Region) for region in overlay.regions)
    assert presenter.overlays(None) == ()


def test_the_small_print_names_the_model_for_what_it_is(
    judged: Callable[..., Interpretation],
) -> None:
    words = evidence.provenance(judged())
    assert "script, not a model (scripted)" in words
    assert "context given: basic" in words  # all that the sample tells is its material


class NoArchive:
    def keep(self, made: object) -> int:
        raise AssertionError("nothing is to be kept here")

    def review(self, *told: object) -> Review:
        raise AssertionError("nothing is to be reviewed here")


def test_the_window_offers_what_can_be_done() -> None:
    session = Session(NoArchive(), who="me")
    empty = presenter.window_state(session)
    assert empty.is_empty
    assert [empty.can_interpret, empty.can_review, empty.can_export] == [False] * 3
    session.add([Path("/x/a.tif"), Path("/x/b.tif")])
    session.show(2)
    waiting = presenter.window_state(session)
    assert (waiting.title, waiting.position) == ("b.tif – GlassView", "2 of 2")
    assert not waiting.can_interpret
    session.update(2, micrograph=MICROGRAPH)
    assert presenter.window_state(session).can_interpret
    session.update(2, stage="Measuring")
    assert not presenter.window_state(session).can_interpret
    session.update(2, stage="", trouble=Trouble("It is torn", "Copy it again."))
    assert presenter.window_state(session).trouble == Trouble("It is torn", "Copy it again.")
