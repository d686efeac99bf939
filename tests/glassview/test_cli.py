"""The entry point: dispatch, errors as people and as programs read them, the table of commands."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

import pytest

from glassllava import __version__
from glassllava.errors import BadInput, GlassError
from glassllava.settings import Settings
from glassview import cli


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A room of one command, `poke`, that notes its arguments and raises what it is told."""
    seen: dict[str, object] = {}

    def poke(args: argparse.Namespace) -> int:
        seen["args"] = args
        if isinstance(raised := seen.get("raise"), BaseException):
            raise raised
        return 1

    class Room:
        @staticmethod
        def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
            parser = commands.add_parser("poke", help="poke")
            parser.add_argument("what")
            parser.add_argument("--json", action="store_true")
            parser.set_defaults(run=poke)

    monkeypatch.setitem(sys.modules, "a_room", Room)  # type: ignore[arg-type]
    monkeypatch.setitem(cli.COMMANDS, "poke", ("a_room", "poke"))
    return seen


def test_every_command_of_the_table_is_registered_with_its_line() -> None:
    rooms: dict[str, dict[str, str]] = {}
    for name, (module, line) in cli.COMMANDS.items():
        rooms.setdefault(module, {})[name] = line
    for module, lines in rooms.items():
        commands = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(module).add_commands(commands)
        registered = {choice.dest: choice.help for choice in commands._choices_actions}
        assert registered == lines, module


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"glassview {__version__}\n"


def test_the_exit_code_is_the_command_s(room: dict[str, object]) -> None:
    assert cli.main(["poke", "it"]) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["-v", "--settings", "a.toml", "poke", "it"],
        ["poke", "it", "--settings", "a.toml", "-v"],
        ["poke", "-v", "--settings=a.toml", "it"],
    ],
)
def test_common_flags_stand_anywhere(room: dict[str, object], argv: list[str]) -> None:
    cli.main(argv)
    args = room["args"]
    assert isinstance(args, argparse.Namespace)
    assert (args.what, args.settings, args.verbose) == ("it", "a.toml", 1)


def test_common_flags_have_defaults(room: dict[str, object]) -> None:
    cli.main(["poke", "it"])
    args = room["args"]
    assert isinstance(args, argparse.Namespace)
    assert (args.settings, args.verbose) == (None, 0)


def test_an_error_says_what_where_and_what_to_do(
    room: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    room["raise"] = BadInput("The sample has no name", where="sample.toml", remedy="Give it one.")
    assert cli.main(["poke", "it"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: sample.toml: The sample has no name. Give it one.\n"


def test_an_error_as_json(room: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    room["raise"] = GlassError("µ", where="here", remedy="there")
    assert cli.main(["poke", "it", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "error": {"kind": "GlassError", "what": "µ", "where": "here", "remedy": "there"}
    }


def test_a_usage_error_is_told_like_any_other(
    room: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["poke", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == "BadInput"
    assert "glassview poke --help" in err


def test_interrupted(room: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    room["raise"] = KeyboardInterrupt()
    assert cli.main(["poke", "it"]) == 130


def test_a_bug_shows_itself(room: dict[str, object]) -> None:
    room["raise"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        cli.main(["poke", "it"])


def test_a_missing_library_names_what_to_install(
    room: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    room["raise"] = ModuleNotFoundError("No module named 'chromadb.api'", name="chromadb.api")
    assert cli.main(["poke", "it"]) == 2
    assert "pip install 'glassview[library]'" in capsys.readouterr().err


def test_a_missing_module_of_the_house_is_a_bug(room: dict[str, object]) -> None:
    room["raise"] = ModuleNotFoundError("No module named 'batch.nights'", name="batch.nights")
    with pytest.raises(ModuleNotFoundError):
        cli.main(["poke", "it"])


def test_a_mistyped_command_is_neither_opened_nor_guessed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["scna"]) == 2
    assert "Did you mean `glassview scan`?" in capsys.readouterr().err


def test_a_missing_path_is_told_before_a_window_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nothing.tif"
    assert cli.main([str(missing)]) == 2
    assert str(missing) in capsys.readouterr().err


def test_no_colour_where_no_terminal_is(
    room: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    room["raise"] = BadInput("x")
    cli.main(["poke", "it"])
    assert "\033" not in capsys.readouterr().err


def test_the_desktop_gets_the_settings_that_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[model]\nreference = "scripted"\n', "utf-8")
    given: dict[str, object] = {}

    class App:
        @staticmethod
        def open_desktop(paths: list[str], *, settings: Settings) -> int:
            given.update(paths=paths, model=settings.values["model"]["reference"])
            return 0

    monkeypatch.setitem(sys.modules, "glassview.app", App)  # type: ignore[arg-type]
    assert cli.main(["--settings", str(file), str(tmp_path)]) == 0
    assert given == {"paths": [str(tmp_path)], "model": "scripted"}
