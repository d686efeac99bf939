"""`glassview library`, through the parser that the whole command uses."""

from __future__ import annotations

import argparse
import json

import pytest

from glassllava.errors import BadInput
from rag import passages
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


def test_add_tells_what_became_of_every_file(folder, tmp_path, capsys):
    papers = tmp_path / "papers"
    papers.mkdir()
    text, pdf = papers / "gasket.md", papers / "paper.pdf"
    text.write_text("# Gaskets\n\nZebra stripes come from the gasket.")
    pdf.write_bytes(b"%PDF-1.7")
    assert run("add", papers, "--json", "--library", folder) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(item["path"], item["passages"]) for item in told["added"]] == [(str(text), 1)]
    (failed,) = told["failed"]
    assert failed["path"] == str(pdf)
    assert failed["reason"]
    pdf.unlink()
    assert run("add", papers, "--library", folder) == 0
    assert capsys.readouterr().out == "1 unchanged\n"

    run("list", "--json", "--library", folder)
    _, row = json.loads(capsys.readouterr().out)["documents"]
    assert (row["title"], row["passages"], row["figures"], row["pages"]) == ("Gaskets", 1, 0, None)
    assert run("export", "--format", "bibtex", "--library", folder) == 0
    assert "title = {{Gaskets}}" in capsys.readouterr().out
    assert run("remove", text, "--library", folder) == 0
    told = capsys.readouterr().out
    assert "1 passage hidden" in told
    assert "brings it back" in told
    assert run("remove", text, "--purge", "--json", "--library", folder) == 0
    assert json.loads(capsys.readouterr().out)["removed"][0]["passages"] == 1
    with pytest.raises(BadInput, match="a part of GlassView"):
        run("remove", "primer", "--library", folder)


def test_an_export_goes_where_it_is_told(folder, tmp_path, capsys):
    out = tmp_path / "all.jsonl"
    run("export", "-o", out, "--library", folder)
    assert capsys.readouterr().out == ""
    assert len(out.read_text().splitlines()) == len(passages.primer().entries)
    with pytest.raises(BadInput, match="cannot be written"):
        run("export", "-o", tmp_path / "no" / "such" / "folder", "--library", folder)


def test_no_word_of_a_paper_is_obeyed_by_a_terminal(folder, tmp_path, capsys):
    text = tmp_path / "evil.md"
    text.write_text("# Title \x1b[31m red\n\nWords \x1b]0;owned\x07 on zebra stripes and gaskets.")
    run("add", text, "--library", folder)
    run("list", "--library", folder)
    run("search", "zebra stripes and gaskets", "--library", folder)
    run("show", text, "--library", folder)
    told = capsys.readouterr().out
    assert "zebra stripes" in told
    assert not {sign for sign in told if not sign.isprintable()} - {"\n"}


def test_a_name_forges_no_line(folder, tmp_path, capsys):
    forged = "GlassView primer: 0 passages"
    text = tmp_path / f"a\n{forged}.md"
    text.write_text("# Gaskets\n\nZebra stripes come from the gasket.")
    for words in (["add"], ["list"], ["show"], ["remove"]):
        names = [] if words == ["list"] else [text]
        assert run(*words, *names, "--library", folder) == 0
        told = capsys.readouterr().out
        assert f"·{forged}" in told
        assert not any(line.startswith(forged) for line in told.splitlines())


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        run("search", "--help")
    assert "glassview library search" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("search", "x", "-k", "0")
