"""The whole desktop, offscreen: open, look, interpret, review, undo, report, close."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from batch.ledger import Review
from glassllava.errors import LiteratureUnavailable, ModelUnavailable
from glassllava.interpretation import Interpretation
from glassllava.micrograph import lettering
from glassllava.sample import Sample
from glassview.app import Desktop
from glassview.session import Sheet
from tests import micrographs
from tests.databars import drawn
from tests.glassview.conftest import scripted, write_pores
from tests.vendor_texts import phenom_xml

Opened = Callable[..., Desktop]


def shown(desktop: Desktop) -> Sheet:
    assert desktop.session.sheet is not None
    return desktop.session.sheet


def interpreted(desktop: Desktop, qtbot: QtBot) -> Interpretation:
    desktop.window.actions_by_name["interpret"].trigger()
    qtbot.waitUntil(lambda: not shown(desktop).stage, timeout=30_000)
    made = shown(desktop).interpretation
    assert made is not None, shown(desktop).interpretation_trouble
    return made


def test_the_empty_window_invites(make_desktop: Callable[..., Desktop]) -> None:
    window = make_desktop().window
    assert window.invitation.isVisible()
    assert not window.splitter.isVisible()
    assert not window.invitation.demo.isVisible(), "there is no demo to open here"
    possible = {n for n, action in window.actions_by_name.items() if action.isEnabled()}
    assert {"open", "open_folder", "shortcuts", "log"} <= possible
    assert not possible & {"interpret", "accept", "overrule", "export", "undo", "redo"}


def test_a_drop_on_the_empty_window_opens(
    make_desktop: Callable[..., Desktop], qtbot: QtBot, pores: Path
) -> None:
    desktop = make_desktop()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(pores.parent))])
    enter = QDragEnterEvent(
        QPoint(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(desktop.window, enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(desktop.window, drop)
    qtbot.waitUntil(lambda: desktop.stage.picture is not None, timeout=20_000)
    assert shown(desktop).path == pores


def test_an_opened_micrograph_shows_itself_and_its_facts(opened: Opened, qtbot: QtBot) -> None:
    desktop = opened()
    window = desktop.window
    assert window.canvas.isVisible()
    assert window.canvas.has_picture
    assert window.windowTitle() == "pores_1.tif – GlassView"
    assert window.calibration.text() == "50 nm / px"
    window.canvas.cursor_at.emit(40, 70)
    assert window.cursor_words.text() == "x 2.00  y 3.50 µm"
    stored = tifffile.imread(shown(desktop).path)
    assert window.counts.text() == f"{int(stored[70, 40]):,}"
    window.canvas.cursor_at.emit(-1, -1)
    assert window.cursor_words.text() == ""


def test_keys_go_to_the_next_and_the_previous_but_not_while_typing(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    paths = [write_pores(tmp_path / f"p_{n}.tif") for n in range(3)]
    desktop = opened(*paths)
    window = desktop.window
    window.activateWindow()
    window.canvas.setFocus()
    seen = []
    for key in (Qt.Key.Key_D, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_A, Qt.Key.Key_A):
        qtbot.keyClick(window.canvas, key)
        seen.append(shown(desktop).path.name)
    assert seen == ["p_1.tif", "p_2.tif", "p_1.tif", "p_0.tif", "p_0.tif"]
    window.ask.question.setFocus()
    qtbot.keyClicks(window.ask.question, "Add a 1?")
    assert window.ask.question.text() == "Add a 1?"
    assert shown(desktop).question == "Add a 1?"
    assert shown(desktop).path.name == "p_0.tif"


def test_contrast_follows_its_controls_and_auto_brings_it_back(opened: Opened) -> None:
    desktop = opened()
    contrast, canvas = desktop.window.contrast, desktop.window.canvas
    before = canvas.viewport().grab().toImage()
    contrast.invert.setChecked(True)
    assert canvas.viewport().grab().toImage() != before
    contrast.invert.setChecked(False)
    contrast.gamma.setValue(60)
    assert canvas.viewport().grab().toImage() != before
    contrast.gamma.setValue(0)
    contrast.histogram.range_dragged.emit(20_000.0, 60_000.0)
    assert canvas.viewport().grab().toImage() != before
    contrast.auto.click()
    assert canvas.viewport().grab().toImage() == before


def test_interpret_shows_verdict_findings_overlay_and_literature(
    opened: Opened, qtbot: QtBot
) -> None:
    desktop = opened()
    window = desktop.window
    before = window.canvas.viewport().grab().toImage()
    made = interpreted(desktop, qtbot)
    assert made.verdict.decision == "defect"
    assert window.verdict.title.text() == "Defect"
    assert "88 %" in window.verdict.subtitle.text()
    assert window.verdict.answer.plain.startswith("Yes, pores [1]")
    assert "[9]" not in window.verdict.answer.text(), "an invented citation is dropped"
    assert "1 citation of what was not given was dropped" in window.verdict.warnings.text()
    assert window.canvas.viewport().grab().toImage() != before, "the overlay is drawn"
    cited = {number: frame.card.is_used for number, frame in window.literature.cards.items()}
    assert cited == {1: True, 2: False}
    overlay = window.canvas.viewport().grab().toImage()
    window.verdict.finding_chosen.emit("pore")
    assert window.canvas.viewport().grab().toImage() != overlay, "the chosen one stands out"


def test_the_sample_beside_the_file_is_loaded_edited_and_undone(
    opened: Opened, qtbot: QtBot, pores: Path
) -> None:
    pores.with_name("sample.toml").write_text('material = "float glass"\nexpected = ["pore"]')
    desktop = opened()
    form = desktop.window.sample
    assert form.fields["material"].text() == "float glass"
    assert form.fields["expected"].text() == "pore"
    assert "sample.toml" in form.origin.text()
    made = interpreted(desktop, qtbot)
    assert [f.disposition for f in made.present if f.feature == "pore"] == ["intended"]
    form.fields["expected"].setText("poer")
    form.commit()
    assert form.trouble.isVisibleTo(form)
    assert "pore" in form.trouble.text()
    assert shown(desktop).sample.expected == ("pore",)
    form.fields["expected"].setText("")
    form.fields["lot"].setText("W47")
    form.commit()
    assert shown(desktop).sample == Sample(material="float glass", lot="W47")
    assert shown(desktop).is_outdated
    assert "interpret again" in desktop.window.verdict.note.text()
    desktop.window.actions_by_name["undo"].trigger()
    assert shown(desktop).sample == Sample(material="float glass", expected=("pore",))
    assert form.fields["lot"].text() == ""


def test_accept_overrule_undo_and_a_new_day(
    opened: Opened, qtbot: QtBot, tmp_path: Path, pores: Path
) -> None:
    desktop = opened()
    panel = desktop.window.verdict
    interpreted(desktop, qtbot)
    qtbot.mouseClick(panel.accept_button, Qt.MouseButton.LeftButton)
    assert "Accepted by" in panel.review.text()
    panel.open_overruling()
    assert not panel.save.isEnabled(), "an overruling needs its reason"
    qtbot.keyClicks(panel.reason, "milled on purpose")
    assert panel.save.isEnabled()
    qtbot.keyClick(panel.reason, Qt.Key.Key_Return)
    assert panel.title.text() == "No defect"
    assert "milled on purpose" in panel.review.text()
    desktop.window.actions_by_name["undo"].trigger()
    assert panel.title.text() == "Defect"
    assert "Accepted by" in panel.review.text()
    desktop.window.actions_by_name["redo"].trigger()
    desktop.window.close()

    from glassview import rooms

    again = opened(archive=rooms.DesktopRun(tmp_path / "data" / "desktop"))
    qtbot.waitUntil(lambda: shown(again).interpretation is not None, timeout=20_000)
    assert again.window.verdict.title.text() == "No defect"
    assert shown(again).review is not None
    again.window.close()
    write_pores(pores, scale=False)
    other = opened(archive=rooms.DesktopRun(tmp_path / "data" / "desktop"))
    qtbot.waitUntil(lambda: not other.jobs.is_busy(f"recall {other.session.current}"))
    assert shown(other).interpretation is None, "another file of the same name is not judged yet"


def test_what_becomes_known_meanwhile_does_not_disturb_a_person_who_types(
    opened: Opened, qtbot: QtBot
) -> None:
    desktop = opened()
    panel = desktop.window.verdict
    interpreted(desktop, qtbot)
    panel.open_overruling()
    qtbot.keyClicks(panel.reason, "milled on")
    micrograph = shown(desktop).micrograph
    assert micrograph is not None
    desktop.session.update(shown(desktop).key, micrograph=replace(micrograph, warnings=("late",)))
    assert panel.reason.text() == "milled on"
    assert panel.overruling.isVisible()


def test_a_file_that_cannot_be_read_says_why_in_place_and_the_rest_goes_on(
    opened: Opened, qtbot: QtBot, tmp_path: Path, pores: Path
) -> None:
    torn = tmp_path / "torn.tif"
    torn.write_bytes(pores.read_bytes()[:900])
    desktop = opened(torn, pores)
    window = desktop.window
    assert window.failure.isVisible()
    assert window.failure.what.text()
    assert not window.actions_by_name["interpret"].isEnabled()
    assert QApplication.activeModalWidget() is None
    desktop.session.step(1)
    qtbot.waitUntil(lambda: desktop.stage.picture is not None, timeout=20_000)
    assert window.canvas.isVisible()
    desktop.session.step(-1)
    assert window.failure.isVisible()


def test_a_model_or_library_that_fails_is_said_in_the_panel(opened: Opened, qtbot: QtBot) -> None:
    def no_model() -> object:
        raise ModelUnavailable("There is no checkpoint", remedy="Install one.")

    def no_library() -> object:
        raise LiteratureUnavailable("The library is damaged", remedy="Choose another level.")

    desktop = opened(open_model=no_model)
    desktop.bench.interpret()
    qtbot.waitUntil(lambda: not shown(desktop).stage)
    assert desktop.window.verdict.trouble.text() == "There is no checkpoint.\nInstall one."
    assert desktop.window.actions_by_name["interpret"].isEnabled(), "it may be tried again"
    other = opened(open_library=no_library)
    other.bench.interpret()
    qtbot.waitUntil(lambda: not shown(other).stage)
    assert "damaged" in other.window.verdict.trouble.text()
    other.window.ask.level_chosen.emit("moderate")
    assert interpreted(other, qtbot).context_asked == "moderate"


def test_the_window_lives_while_the_model_thinks_and_a_stopped_answer_is_dropped(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    may_answer = threading.Event()

    def slow_model() -> object:
        assert may_answer.wait(20)
        return scripted()

    paths = [write_pores(tmp_path / f"p_{n}.tif") for n in range(2)]
    desktop = opened(*paths, open_model=slow_model)
    first = shown(desktop).key
    desktop.bench.interpret()
    qtbot.waitUntil(lambda: desktop.session[first].stage == "Opening the model")
    assert desktop.window.ask.button.text() == "Opening the model …"
    desktop.session.step(1)
    qtbot.waitUntil(lambda: shown(desktop).micrograph is not None, timeout=20_000)
    second = shown(desktop).key
    desktop.bench.interpret()
    desktop.session.step(-1)
    desktop.window.actions_by_name["stop"].trigger()
    assert desktop.session[first].stage == ""
    may_answer.set()
    qtbot.waitUntil(lambda: desktop.session[second].interpretation is not None, timeout=20_000)
    assert desktop.session[first].interpretation is None


def test_the_report_of_the_shown_micrograph_is_asked_for_in_the_background(
    opened: Opened,
    qtbot: QtBot,
    tmp_path: Path,
    written: list[tuple[Interpretation, Review | None, Path]],
) -> None:
    desktop = opened()
    made = interpreted(desktop, qtbot)
    assert desktop.window.actions_by_name["export"].isEnabled()
    desktop.bench.accept()
    desktop.bench.export(tmp_path / "one.pdf")
    qtbot.waitUntil(lambda: "Report written" in desktop.window.message.text())
    assert written == [(made, shown(desktop).review, tmp_path / "one.pdf")]
    assert written[0][1] is not None


def test_a_page_can_be_chosen(opened: Opened, qtbot: QtBot, tmp_path: Path, pores: Path) -> None:
    path = tmp_path / "two.tif"
    first = tifffile.imread(pores)
    tifffile.imwrite(path, first)
    tifffile.imwrite(path, first[:120, :200], append=True)
    desktop = opened(path)
    assert desktop.window.pages.count() == 2
    assert desktop.window.pages.isVisible()
    desktop.window.page_chosen.emit(1)
    qtbot.waitUntil(lambda: shown(desktop).micrograph.page == 1)  # type: ignore[union-attr]
    assert desktop.stage.picture is not None
    assert desktop.stage.picture.pixels.shape == (120, 200)


def test_a_typed_pixel_size_calibrates_and_a_wrong_one_is_refused(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    desktop = opened(write_pores(tmp_path / "bare.tif", scale=False))
    window = desktop.window
    assert window.calibration.text() == "uncalibrated: lengths in px"
    window.size_typed.emit("wide")
    assert "not a pixel size" in window.size_trouble.text()
    window.size_typed.emit("20 nm")
    qtbot.waitUntil(lambda: window.calibration.text() == "20 nm / px", timeout=20_000)
    assert interpreted(desktop, qtbot).micrograph["pixel_size"]["source"] == "typed"


def test_a_typed_pixel_size_is_not_taken_to_a_page_of_another_size(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "two.tif"
    first = tifffile.imread(write_pores(tmp_path / "bare.tif", scale=False))
    tifffile.imwrite(path, first)
    tifffile.imwrite(path, first[:120, :200], append=True)
    desktop = opened(path)
    window = desktop.window
    window.typed_size.setText("20 nm")
    window.size_typed.emit("20 nm")
    qtbot.waitUntil(lambda: window.calibration.text() == "20 nm / px", timeout=20_000)
    window.page_chosen.emit(1)
    uncalibrated = "uncalibrated: lengths in px"
    qtbot.waitUntil(lambda: window.calibration.text() == uncalibrated, timeout=20_000)
    assert "page 2 has another width or height" in window.size_trouble.text()
    assert window.typed_size.text() == ""
    window.actions_by_name["undo"].trigger()
    qtbot.waitUntil(lambda: window.calibration.text() == "20 nm / px", timeout=20_000)
    assert shown(desktop).micrograph.page == 0  # type: ignore[union-attr]


def test_a_databar_that_belies_the_header_takes_the_scale_off_the_screen(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    whole = micrographs.with_databar(micrographs.specimen(768, 1024), 48)
    half = Image.fromarray(whole).resize((512, 408), Image.Resampling.BOX)
    tags = {34683: phenom_xml(databar=48)}
    desktop = opened(micrographs.write_tiff(tmp_path / "half.tif", np.asarray(half), tags))
    uncalibrated = "uncalibrated: lengths in px"
    qtbot.waitUntil(lambda: desktop.window.calibration.text() == uncalibrated, timeout=20_000)
    known = shown(desktop).micrograph
    assert known is not None
    assert known.pixel_size is None
    assert any("the image has one of 24" in warning for warning in known.warnings)


@pytest.mark.skipif(not lettering.is_installed(), reason="rapidocr is not installed")
def test_the_drawn_bar_is_offered_used_and_taken_back(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "bar.png"
    Image.fromarray(drawn(17).image).save(path)
    desktop = opened(path)
    window = desktop.window
    qtbot.waitUntil(window.offer.isVisible, timeout=30_000)
    assert "10 µm" in window.offer.said.text()
    assert window.calibration.text() == "uncalibrated: lengths in px"
    window.offer.use.click()
    qtbot.waitUntil(lambda: window.calibration.text() == "68.7 nm / px", timeout=20_000)
    qtbot.waitUntil(window.offer.isHidden, timeout=20_000)
    desktop.session.undo()
    qtbot.waitUntil(window.offer.isVisible, timeout=20_000)
    assert window.calibration.text() == "uncalibrated: lengths in px"


def test_window_and_recent_files_are_remembered(
    opened: Opened, make_desktop: Callable[..., Desktop], tmp_path: Path, pores: Path
) -> None:
    first = opened()
    first.window.resize(1010, 640)
    first.window.close()
    ini = QSettings(str(tmp_path / "desktop.ini"), QSettings.Format.IniFormat)
    second = make_desktop(kept=ini)
    assert [action.text() for action in second.window.recent_menu.actions()] == [str(pores)]
    assert ini.value("window/geometry") is not None


def test_close_all_brings_the_invitation_back(opened: Opened) -> None:
    desktop = opened()
    desktop.window.actions_by_name["close_all"].trigger()
    assert desktop.window.invitation.isVisible()
    assert not desktop.window.canvas.has_picture
    assert desktop.session.sheets == ()


def test_a_folder_without_micrographs_is_said_without_a_dialog(
    make_desktop: Callable[..., Desktop], qtbot: QtBot, tmp_path: Path
) -> None:
    desktop = make_desktop()
    empty = tmp_path / "empty"
    empty.mkdir()
    desktop.open([empty])
    qtbot.waitUntil(lambda: "no micrograph in this folder" in desktop.window.message.text())
    assert desktop.window.message.isVisible()
    assert QApplication.activeModalWidget() is None


def test_help_lists_the_shortcuts_that_exist(make_desktop: Callable[..., Desktop]) -> None:
    from glassview.presenter import SHORTCUTS

    window = make_desktop().window
    window.actions_by_name["shortcuts"].trigger()
    assert window.shortcuts.isVisible()
    window.shortcuts.close()
    keys = {
        sequence.toString()
        for action in window.actions_by_name.values()
        for sequence in action.shortcuts()
    }
    told = [keys_ for _, rows in SHORTCUTS for keys_, _ in rows]
    for text in ("Ctrl+O", "Ctrl+E", "Shift+C", "Ctrl+Return", "Ctrl+Shift+R", "Ctrl+L"):
        assert text in keys
        assert any(text in row for row in told)


def test_labels_never_read_what_they_show_as_markup(
    opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    desktop = opened(write_pores(tmp_path / "<b>bold<b>.tif"))
    assert desktop.window.name.textFormat() == Qt.TextFormat.PlainText
    for label in (desktop.window.verdict.reasons, desktop.window.verdict.warnings):
        assert label.textFormat() == Qt.TextFormat.PlainText


@pytest.mark.parametrize("size", [(1024, 700), (860, 560)])
def test_a_small_window_hides_nothing_that_is_needed(
    opened: Opened, qtbot: QtBot, size: tuple[int, int]
) -> None:
    desktop = opened()
    interpreted(desktop, qtbot)
    desktop.window.resize(*size)
    QApplication.processEvents()
    window = desktop.window
    for widget in (window.ask.button, window.verdict.accept_button, window.canvas):
        right = widget.mapTo(window, widget.rect().topRight()).x()
        assert right < window.width(), widget
    page = window.verdict
    assert page.widget().width() <= page.viewport().width()


def test_every_real_micrograph_is_shown_or_says_why(
    opened: Opened, qtbot: QtBot, real_micrographs: Path
) -> None:
    desktop = opened(real_micrographs)
    window = desktop.window
    assert len(desktop.session.sheets) > 20
    read = 0
    for sheet in desktop.session.sheets:
        desktop.session.show(sheet.key)
        qtbot.waitUntil(
            lambda: (
                bool(shown(desktop).trouble)
                or (
                    desktop.stage.picture is not None
                    and desktop.stage.picture.micrograph.path == shown(desktop).path
                )
            ),
            timeout=30_000,
        )
        if shown(desktop).trouble:
            assert window.failure.isVisible()
            assert window.failure.what.text()
        else:
            read += 1
            assert window.canvas.isVisible()
            assert not window.canvas.viewport().grab().isNull()
            calibrated = shown(desktop).micrograph.pixel_size is not None  # type: ignore[union-attr]
            assert ("uncalibrated" in window.calibration.text()) is not calibrated
    assert read > 20
