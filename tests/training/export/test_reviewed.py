"""From a night to training: what was reviewed reaches the trainer as it was decided.

The checkpoint that is to be trained further was converted; its template marks what is learnt.
"""

from __future__ import annotations

from pathlib import Path

import tifffile

from batch.conversations import write_llava
from batch.ledger import Ledger
from glassllava.model.processing import open_processor, side_of
from glassview.cli import main
from tests.micrographs import specimen, with_holes
from tests.training.export.originals import write_original
from training.conversations.pictures import Pictures
from training.conversations.reading import read_material
from training.conversations.tokens import Tokeniser
from training.export.card import About
from training.export.converting import convert_original
from training.ranks import Ranks


def test_a_reviewed_night_is_learnt_as_it_was_decided(tmp_path: Path) -> None:
    from transformers import LlavaConfig

    folder = tmp_path / "micrographs"
    folder.mkdir()
    for number in range(3):
        picture = with_holes(specimen(seed=number), [(40.0 * number + 60, 80, 20)])
        tifffile.imwrite(folder / f"{number}.tif", picture)
        (folder / f"{number}.sample.toml").write_text(f'lot = "W{number}"\nmaterial = "float"\n')
    flags = ["--model", "scripted", "--context", "moderate"]
    assert main(["scan", str(folder), "-o", str(tmp_path / "night"), *flags]) == 0
    with Ledger.open(tmp_path / "night") as ledger:
        for row, kept in ledger.current():
            defect = row.path != "1.tif"
            ledger.review(kept.id, "defect" if defect else "no_defect", "as seen", who="Ada")
        write_llava(ledger, tmp_path / "data", licence="CC-BY-4.0")

    written = write_original(tmp_path, max_position_embeddings=2048)
    convert_original(written.folder, written.tower, tmp_path / "llava", About(name="llava"))
    config = LlavaConfig.from_pretrained(tmp_path / "llava")
    processor = open_processor(tmp_path / "llava", config)
    work = tmp_path / "work"
    work.mkdir()
    material = read_material(
        [tmp_path / "data" / "conversations.json"],
        tmp_path / "data",
        Tokeniser(processor, 2048),
        processor,
        Pictures(work / "pictures", side_of(processor)),
        work,
        Ranks(),
    )
    assert material.conversations
    assert {c.paper for c in material.conversations} <= {"lot W0", "lot W1", "lot W2"}
    said = {
        conversation.id: conversation.turns[0].answer for conversation in material.conversations
    }
    for example in material.examples:
        learnt = [i for i, kind in zip(example.ids, example.kinds, strict=True) if kind >= 0]
        words = processor.tokenizer.decode(learnt)
        assert words.strip() == f"{said[example.id]}</s>"
    verdicts = {c.paper: c.defect for c in material.conversations if c.id.endswith("-verdict")}
    assert verdicts == {name: name != "lot W1" for name in verdicts}
    assert any(said[e.id] in ("yes", "no") for e in material.examples)
    assert list(material.licences.values()) == ["CC-BY-4.0"]
