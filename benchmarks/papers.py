"""Claim: of written papers, text, captions and figures are read with their right pages.

`python -m benchmarks.papers [-n PAPERS] [--first SEED] [--long PAGES]` writes papers with
`tests/papers.py` in styles drawn by chance (one to three columns, sizes, gutters, captions above or
below, running heads, logos, hyphens), reads each, and counts against what the writer knows. Beside
stands PDFium's own text of each page, with line ends as spaces: what a plain reader would index.
Then a paper of many pages: pages a second, and the memory of the process that reads it and of the
one that asked. Seeds below 8000 were used to make the reader; figures are quoted from 8000 on.

A sentence counts as whole if it stands word for word within one passage (plain: within the text of
its page, or of that and the next); a figure, if its box shares 80 % with the true one and its
caption is right to the letter. Intervals are Wilson's, 95 %; papers, not sentences, are
independent, so that they are rather too narrow.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import pypdfium2

from glassllava.errors import GlassError
from rag.reading import read_document
from tests import paper_scores, papers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=12, help="papers to write (default: 12)")
    parser.add_argument("--first", type=int, default=8000, help="the first seed (default: 8000)")
    parser.add_argument("--long", type=int, default=0, help="pages of a long paper (default: none)")
    parser.add_argument("--wrong", action="store_true", help="print what went wrong")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _accuracy(Path(folder), range(args.first, args.first + args.n), args.wrong)
        if args.long:
            _long(Path(folder), args.long)


def _accuracy(folder: Path, seeds: range, wrong: bool) -> None:
    total = paper_scores.Score(papers=0)
    plain, pages, seconds, refused = 0, 0, 0.0, 0
    for seed in seeds:
        path = folder / f"{seed}.pdf"
        truth = papers.write_paper(path, seed, papers.drawn_style(seed))
        start = time.perf_counter()
        try:
            document = read_document(path)
        except GlassError as error:
            refused += 1
            print(f"seed {seed} refused: {error}")
            continue
        seconds += time.perf_counter() - start
        score = paper_scores.score(truth, document)
        for line in score.wrong if wrong else ():
            print(f"  seed {seed}: {line}")
        total = total.plus(score)
        plain += _plain(path, truth)
        pages += truth.pages
    print(f"{total.papers} papers, {pages} pages, seeds {seeds.start} to {seeds.stop - 1}")
    print(f"refused: {refused}")
    rows = [
        ("sentences whole in one passage", total.whole, total.sentences),
        ("  plain text by page (PDFium's own)", plain, total.sentences),
        ("sentences in reading order", total.in_order, total.whole),
        ("passages with the right page", total.page_right, total.paged),
        ("passages with the right section", total.section_right, total.paged),
        ("captions to the letter, right page", total.captions_right, total.captions),
        ("figures: box, label, caption, page", total.figures_right, total.figures),
        ("  with every embedded original", total.originals_right, total.figures_right),
        ("titles", total.title, total.papers),
        ("DOIs (none where it has none)", total.doi, total.papers),
        ("authors (none where unsure)", total.authors, total.papers),
    ]
    for name, right, of in rows:
        low, high = _wilson(right, of)
        share = 100 * right / max(1, of)
        print(f"{name:38} {right:6} of {of:6}  {share:5.1f} %  [{low:.1f}, {high:.1f}]")
    print(f"captions made up: {total.captions_false}; figures made up: {total.figures_false}")
    print(f"running heads and references kept: {total.leaked} of {total.absent}")
    print(f"{seconds / total.papers:.2f} s a paper, {pages / seconds:.1f} pages/s, one at a time")


def _plain(path: Path, truth: papers.Truth) -> int:
    """Sentences that stand whole in PDFium's own text of their page, or over its end."""
    document = pypdfium2.PdfDocument(path)
    texts = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    document.close()
    texts.append("")
    return sum(sentence in f"{texts[page - 1]} {texts[page]}" for page, sentence in truth.sentences)


def _long(folder: Path, pages: int) -> None:
    path = folder / "long.pdf"
    papers.write_long(path, pages)
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    document = read_document(path)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{pages} pages: {seconds:.0f} s ({pages / seconds:.1f} pages/s), {cpu:.0f} s of CPU")
    print(f"  ({pages / cpu:.1f} pages/s of it); {len(document.entries)} passages; at most")
    print(f"  {after.ru_maxrss / 1024:.0f} MB in the process that reads, {own:.0f} MB in this one")


def _wilson(right: int, of: int) -> tuple[float, float]:
    if not of:
        return 0.0, 100.0
    z, share = 1.96, right / of
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 100 / (1 + z * z / of)
    return scale * (middle - reach), scale * (middle + reach)


if __name__ == "__main__":
    main()
