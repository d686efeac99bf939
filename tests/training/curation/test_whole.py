"""From PDFs to training data: all of curation by its commands, against a server in trouble."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from glassllava.conversation import read_conversations
from tests.chat_server import ChatServer
from tests.compounds import micrograph
from tests.curated import THINGS, reply_to
from tests.training.curation.conftest import KEY
from tests.training.curation.made_figures import Drawn, write_pdf
from training.curation.figure import read_figures
from training.curation.leaks import check_leaks

Run = Callable[..., int]


def _papers(folder: Path, count: int, figures: int) -> None:
    folder.mkdir()
    for paper in range(count):
        drawn = []
        for number in range(figures):
            seed = paper * figures + number
            _, sentence = THINGS[seed % 3]
            drawn.append(
                Drawn(
                    micrograph(1000 + seed, 420, 320, databar=False),
                    f"SEM micrograph of a soda-lime glass. {sentence}",
                    (f"Figure {number + 1} shows what the treatment left in the glass.",),
                )
            )
        write_pdf(
            folder / f"paper{paper}.pdf",
            drawn,
            title=f"Study number {paper} of {THINGS[paper % 3][0]} in made-up glass",
            doi=f"10.1234/made.{paper}",
            licence="CC BY 4.0",
        )


def _whole(
    tmp_path: Path,
    server: ChatServer,
    curate: Run,
    capfd: pytest.CaptureFixture[str],
    papers: int,
    figures: int,
    faults: list[object],
) -> Path:
    _papers(tmp_path / "papers", papers, figures)
    work, data = tmp_path / "work", tmp_path / "data"
    assert curate("papers", tmp_path / "papers", "-w", work) == 0
    found = [one for one in read_figures(work) if not one.duplicate_of]
    assert len(found) >= 0.9 * papers * figures  # a picture may repeat another
    assert {one.licence for one in found} != {""}
    seen = [one for one in found if one.kind != "other"]
    assert len(seen) >= 0.8 * len(found)
    capfd.readouterr()

    server.faults = faults
    server.retry_after = "0"
    replies = Counter[str]()

    def answer(body: dict[str, object]) -> object:
        """The first reply of all is cut where its tokens end; the second is no JSON."""
        replies["all"] += 1
        if replies["all"] == 1:
            return {"finish_reason": "length", "text": '{"questions": [{"level": "no'}
        return "Sure, here you are:" if replies["all"] == 2 else reply_to(body)

    server.answer = answer
    write = ("write", work, "--model", server.reference(), "--yes", "--unsure", "--together", 2)
    assert curate(*write, "--limit", 10**7, "--json") in (0, 1)
    wrote = json.loads(capfd.readouterr().out)
    assert max(server.answered.values()) == 1
    assert server.billed <= wrote["spent"]
    assert curate(*write, "--retry-failed", "--json") == 0  # what was unusable twice
    again = json.loads(capfd.readouterr().out)
    assert wrote["figures"] + again.get("figures", 0) >= len(seen)

    assert curate("review", work, "--list", "--json") == 0
    listed = [row["id"] for row in json.loads(capfd.readouterr().out)]
    assert len(listed) >= 8 * len(seen)
    assert curate("review", work, "--accept", *listed[:10], "--by", "A. Person") == 0
    assert curate("review", work, "--reject", *listed[10:12], "--by", "B. Person") == 0
    assert curate("export", work, "-o", data) == 0

    card = json.loads((data / "card.json").read_text("utf-8"))
    assert card["checked"]["decisions"] == {"accept": 10, "edit": 0, "reject": 2}
    assert card["writers"][0]["host"] == server.host
    assert all(paper["licence"] for paper in card["licences"]["papers"])
    assert all(row["true"] == row["false"] for row in card["balance"])
    splits = [path for path in data.glob("*.json") if path.name != "card.json"]
    made = [one for path in splits for one in read_conversations(path)]
    assert len(made) == card["pairs"] > 6 * len(seen)
    papers_of = {split: {c.paper for c in made if c.split == split} for split in card["splits"]}
    assert sum(map(len, papers_of.values())) == len(set().union(*papers_of.values()))
    assert not check_leaks(data).leaks
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    return data


def test_from_pdfs_to_training_data(
    tmp_path: Path, server: ChatServer, curate: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    _whole(tmp_path, server, curate, capfd, papers=3, figures=1, faults=[None, 429, 503])


@pytest.mark.proof
def test_from_many_pdfs_to_training_data(
    tmp_path: Path, server: ChatServer, curate: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    faults = [None, 429, 500, "reset", "cut", "hang", "huge", 429, "page", 503, "list"]
    data = _whole(tmp_path, server, curate, capfd, papers=12, figures=3, faults=faults)
    assert {"train.json", "validation.json", "test.json"} <= {p.name for p in data.iterdir()}
