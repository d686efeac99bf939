"""`glassview curate papers`, `leaks`: what they print and exit with."""

from __future__ import annotations

import json

from glassview.cli import main
from tests import compounds
from tests.training.curation.made_figures import write_html


def test_papers_and_leaks_are_commands(tmp_path, capsys):
    source, work = tmp_path / "in", tmp_path / "work"
    source.mkdir()
    for number in range(2):
        picture = compounds.micrograph(60 + number, 320, 240, databar=True)
        picture.save(source / f"{number}.png")
        page = source / f"{number}.html"
        write_html(
            page,
            [(f"{number}.png", "SEM image.")],
            paragraphs=(f"Words {number}.",),
            title=f"A made-up page on pane number {number}",
        )
    told = ["curate", "papers", str(source), "-w", str(work), "--json"]
    assert main([*told, "--shares", "train=0.5", "test=0.5"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert (out["papers"], out["figures"], out["failed"]) == (2, 2, [])
    assert out["splits"] == {"train": 1, "test": 1}
    assert main(["curate", "leaks", str(work), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["leaks"] == []
    # The same micrograph in a paper of the other split.
    lines = (work / "figures.jsonl").read_text("utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    second["image"] = first["image"]
    rows = "\n".join(json.dumps(row) for row in (first, second))
    (work / "figures.jsonl").write_text(rows + "\n", "utf-8")
    assert main(["curate", "leaks", str(work)]) != 0
    assert "leak" in capsys.readouterr().out
    (source / "broken.pdf").write_bytes(b"%PDF-1.4")
    assert main(told) == 1
    assert json.loads(capsys.readouterr().out)["failed"][0][0].endswith("broken.pdf")
    assert main([*told, "--shares", "train=2"]) == 2
