"""`glassview library`, through the parser that the whole command uses."""

from __future__ import annotations

import argparse
import json

import pytest

from glassllava.errors import BadInput
from rag.cli import add_commands


def run(*words):
    parser = argparse.ArgumentParser(prog="glassview")
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["library", *map(str, words)])
    return args.run(args)


def test_search_prints_one_document_in_the_promised_shape(folder, capsys):
    assert run("search", "cauliflower lumps", "-k", 2, "--json", "--library", folder) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["query"] == "cauliflower lumps"
    # The wider primer has two passages on these lumps: how they look, and what else looks so.
    assert {passage["id"] for passage in told["passages"]} == {"primer:91", "primer:241"}
    wanted = {"id", "text", "title", "authors", "year", "doi", "page", "score"}
    assert all(wanted <= set(passage) for passage in told["passages"])
    assert len(told["passages"]) <= 2


def test_search_shows_places_and_sources_to_people(folder, capsys):
    assert run("search", "needle fans in soda-lime glass", "-k", 1, "--library", folder) == 0
    told = capsys.readouterr().out
    assert "[1] GlassView primer, section 44" in told
    assert "source: Growth of devitrite" in told
    assert run("search", "football results", "--library", folder) == 0
    assert capsys.readouterr().out == "No evidence found.\n"


def test_list_show_and_check(folder, capsys):
    run("list", "--library", folder)
    assert "GlassView primer: " in capsys.readouterr().out
    run("show", "primer:8", "--library", folder)
    told = capsys.readouterr().out
    assert "GlassView primer, section 8" in told
    assert "sources: none checked" in told
    assert run("check", "--json", "--library", folder) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["manifest_whole"], found["lost"], found["backend"]) == (True, 0, "chroma")
    with pytest.raises(BadInput, match="primer:999"):
        run("show", "primer:999", "--library", folder)


def test_add_is_all_or_nothing_and_incremental(folder, tmp_path, capsys):
    text, pdf = tmp_path / "gasket.md", tmp_path / "paper.pdf"
    text.write_text("# Gaskets\n\nZebra stripes come from the gasket.")
    pdf.write_bytes(b"%PDF-1.7")
    with pytest.raises(BadInput, match="PDF"):
        run("add", text, pdf, "--library", folder)
    run("add", text, "--json", "--library", folder)
    assert json.loads(capsys.readouterr().out)["added"][0]["added"] == 1
    run("add", text, "--library", folder)
    assert "nothing new" in capsys.readouterr().out


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        run("search", "--help")
    assert "glassview library search" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("search", "x", "-k", "0")
