"""The made-up papers of `corpus/` as real PDFs, each page where its labels say."""

from __future__ import annotations

import tomllib
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

CORPUS = Path(__file__).with_name("corpus")
#: On twelve papers, some of them to tune on; on eight more that nothing was tuned on.
QUESTIONS = CORPUS / "questions.toml"
FRESH_QUESTIONS = CORPUS / "fresh_questions.toml"


def write_papers(folder: Path) -> list[Path]:
    """One PDF for each paper, named for its file in the corpus."""
    return [write_paper(source, folder / f"{source.stem}.pdf") for source in sources()]


def sources() -> list[Path]:
    """The papers' files in the corpus."""
    questions = (QUESTIONS, FRESH_QUESTIONS)
    return [path for path in sorted(CORPUS.glob("*.toml")) if path not in questions]


def write_paper(source: Path, path: Path) -> Path:
    paper = tomllib.loads(source.read_text("utf-8"))
    styles = getSampleStyleSheet()
    flow = [Paragraph(paper["title"], styles["Title"]), Spacer(1, 12)]
    for number, page in enumerate(paper["page"]):
        flow += [PageBreak()] * bool(number)
        flow.append(Paragraph(page["heading"], styles["Heading2"]))
        for block in page["text"].strip().split("\n\n"):
            flow += [Paragraph(" ".join(block.split()), styles["BodyText"]), Spacer(1, 8)]
    SimpleDocTemplate(str(path), pagesize=A4, title=paper["title"], invariant=1).build(flow)
    return path
