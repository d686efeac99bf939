"""Writes test papers as PDFs, and knows what stands in them: the truth to hold a reader against.

All content is made up and says so: sentences of a seeded vocabulary, noise for micrographs, test
authors. It lays lines out by itself and shares no code with the reader.
"""

from __future__ import annotations

import io
import random
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

Box = tuple[float, float, float, float]

_SUBJECTS = """glass melt surface fracture hackle mirror crystal pore bubble seed cord inclusion
stone enamel frit fibre container furnace forehearth refractory spinel cristobalite devitrite
wollastonite leach layer gel crack corrosion pit flaw foam vitreous ceramic residual
phase droplet interface coating film substrate nucleus dendrite lath spherulite""".split()  # noqa: SIM905
_ADJECTIVES = """small bright dark rounded angular faceted dendritic porous smooth rough annealed
tempered leached etched polished coated borosilicate chalcogenide bioactive lanthanum
sodium calcium zirconium secondary backscattered interconnected isolated elongated
hexagonal anomalous""".split()  # noqa: SIM905
_VERBS = """shows contains surrounds follows precedes resembles indicates obscures replaces
dissolves nucleates scatters reflects absorbs deflects terminates accompanies separates""".split()  # noqa: SIM905
_JOINS = """under beside within beneath across around near through along beyond""".split()  # noqa: SIM905


@dataclass(frozen=True)
class TrueFigure:
    """`box` is (left, top, right, bottom) in points from the top left corner as shown."""

    page: int
    label: str
    caption: str
    box: Box
    images: int
    kind: str


@dataclass
class Truth:
    """What a paper holds. `sentences` are (page of the first word, text), in reading order."""

    title: str = ""
    doi: str | None = None
    authors: str = ""
    pages: int = 0
    sentences: list[tuple[int, str]] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)  # sentence: heading
    abstract: list[str] = field(default_factory=list)
    captions: list[tuple[int, str, str]] = field(default_factory=list)
    figures: list[TrueFigure] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Style:
    """How a paper is set. `label` is "mark" (Figure 1. Text), "bold" (**Fig. 1** Text)."""

    columns: int = 2
    font: str = "Times"
    size: float = 10.0
    leading: float = 12.0
    gutter: float = 20.0
    label: str = "mark"
    caption_size: float = 8.5
    captions_above: bool = False
    numbered: bool = True
    running_heads: bool = True
    logo: bool = False
    hyphenate: bool = True
    justify: bool = True
    wide_abstract: bool = True
    metadata: bool = True
    own_doi: bool = True


class Sentences:
    """Endless unlike sentences of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._told: set[str] = set()

    def one(self) -> str:
        pick = self._random.choice
        while True:
            words = ["the", pick(_ADJECTIVES), pick(_SUBJECTS), pick(_VERBS), "the"]
            words += [pick(_ADJECTIVES), pick(_SUBJECTS), pick(_JOINS), "a", pick(_SUBJECTS)]
            if self._random.random() < 0.5:
                words += ["of", f"{self._random.randint(2, 990)}", pick(["nm", "µm", "wt%"])]
            if self._random.random() < 0.5:
                words += ["and", pick(_JOINS), "another", pick(_ADJECTIVES), pick(_SUBJECTS)]
            text = " ".join(words)
            text = text[0].upper() + text[1:] + "."
            if text not in self._told:
                self._told.add(text)
                return text

    def some(self, least: int, most: int) -> list[str]:
        return [self.one() for _ in range(self._random.randint(least, most))]


def micrograph(seed: int, width: int = 240, height: int = 180) -> Image.Image:
    """Noise with a few bright discs: a made-up micrograph."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(110, 18, (height, width))
    rows, columns = np.mgrid[:height, :width]
    for _ in range(6):
        y, x, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(5, 30)
        picture[(rows - y) ** 2 + (columns - x) ** 2 < r * r] += 70
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


class Writer:
    """One paper, laid out line by line; `truth` grows with it."""

    def __init__(self, path: Path, style: Style, seed: int, **canvas: Any) -> None:
        self.style = style
        self.path = path
        self.truth = Truth()
        self.sentences = Sentences(seed)
        self._random = random.Random(seed + 1)
        self._seed = seed
        self._canvas = Canvas(str(path), pagesize=A4, pageCompression=1, **canvas)
        self._width, self._height = A4
        self._margin = 60.0
        self._top, self._bottom = 70.0, self._height - 70.0  # from the top
        self._page = 0
        self._column = 0
        self._y = 0.0
        self._column_top = self._top
        self._figures = 0
        self._heading = ""
        self._logo = ImageReader(micrograph(4711, 40, 40))
        self._new_page()

    # Pages and columns

    @property
    def _column_width(self) -> float:
        inner = self._width - 2 * self._margin
        count = self.style.columns
        return (inner - (count - 1) * self.style.gutter) / count

    @property
    def _left(self) -> float:
        return self._margin + self._column * (self._column_width + self.style.gutter)

    def _new_page(self) -> None:
        if self._page:
            self._canvas.showPage()
        self._page += 1
        self._column, self._column_top, self._y = 0, self._top, self._top
        c = self._canvas
        if self.style.running_heads:
            head = ("Test Author et al. / Journal of Made-up Glass 12 (2021) 100-120"
                    if self._page % 2 else "A made-up paper that tests a reader")  # fmt: skip
            if self._page > 1:
                c.setFont("Times-Roman" if self.style.font == "Times" else "Helvetica-Oblique", 8)
                c.drawString(self._margin, self._height - 40, head)
                if head not in self.truth.absent:
                    self.truth.absent.append(head)
            c.setFont("Helvetica", 8)
            c.drawCentredString(self._width / 2, 36, str(self._page + 100))
        if self.style.logo:
            c.drawImage(self._logo, self._width - 90, self._height - 58, 40, 40)

    def _advance(self) -> None:
        if self._column + 1 < self.style.columns:
            self._column += 1
            self._y = self._column_top
        else:
            self._new_page()

    def _need(self, height: float) -> None:
        if self._y + height > self._bottom:
            self._advance()

    # Text

    def _names(self, bold: bool) -> str:
        if self.style.font == "Times":
            return "Times-Bold" if bold else "Times-Roman"
        return "Helvetica-Bold" if bold else "Helvetica"

    def _lines(self, words: list[str], width: float, font: str, size: float) -> list[list[str]]:
        """Words in lines; a word that does not fit may be broken with a hyphen."""
        space = stringWidth(" ", font, size)
        lines: list[list[str]] = [[]]
        used = 0.0
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if word == "\n":
                lines.append([])
                used = 0.0
                continue
            wide = stringWidth(word, font, size)
            gap = space if lines[-1] else 0.0
            if used + gap + wide <= width:
                lines[-1].append(word)
                used += gap + wide
                continue
            if self.style.hyphenate and re.fullmatch(r"[a-z]{7,}[.,]?", word):
                for cut in range(len(word) - 4, 2, -1):
                    head = word[:cut] + "-"
                    if used + gap + stringWidth(head, font, size) <= width:
                        lines[-1].append(head)
                        word = word[cut:]
                        wide = stringWidth(word, font, size)
                        break
            lines.append([word])
            used = wide
        return [line for line in lines if line]

    def _draw(self, x: float, line: list[str], width: float | None, font: str, size: float) -> None:
        text = " ".join(line)
        drawn = self._canvas.beginText(x, self._height - self._y)
        drawn.setFont(font, size)
        spare = 0.0
        if width is not None and len(line) > 1:
            spare = width - stringWidth(text, font, size)
        # Said for every line: a PDF keeps it from one text to the next.
        drawn.setWordSpace(spare / max(1, len(line) - 1))
        drawn.textOut(text)
        self._canvas.drawText(drawn)

    def _paragraph(self, marked: list[tuple[str, str | None]], kind: str = "text") -> None:
        """(word, the sentence that it begins or None); indented; over columns and pages."""
        style, font = self.style, self._names(False)
        begins: dict[int, str] = {}
        words: list[str] = []
        for word, sentence in marked:
            if sentence is not None:
                begins[len(words)] = sentence
            words.append(word)
        count = 0  # whole words drawn
        indent = 12.0
        lines = self._lines(
            ["\u00a0" * 4 + words[0], *words[1:]], self._column_width, font, style.size
        )
        lines[0][0] = words[0]
        half = False
        for number, line in enumerate(lines):
            self._need(style.leading)
            self._y += style.leading
            x = self._left + (indent if number == 0 else 0)
            width = self._column_width - (indent if number == 0 else 0)
            last = number == len(lines) - 1 or words[min(count + len(line), len(words) - 1)] == "\n"
            self._draw(x, line, width if style.justify and not last else None, font, style.size)
            for word in line:
                while count < len(words) and words[count] == "\n":
                    count += 1
                if not half and count in begins:
                    sentence = begins[count]
                    self.truth.sentences.append((self._page, sentence))
                    self.truth.sections[sentence] = self._heading
                    if kind == "abstract":
                        self.truth.abstract.append(sentence)
                half = word.endswith("-") and words[count] != word
                if not half:
                    count += 1

    def paragraph(self, *sentences: str) -> None:
        """Sentences as one paragraph; "\\n" within one forces a new line there."""
        self._paragraph(_marked(sentences))

    def heading(self, text: str, *, bold: bool = True) -> None:
        font = self._names(bold)
        lines = self._lines(text.split(), self._column_width, font, self.style.size + 1)
        self._need(self.style.leading * (len(lines) + 4))
        if self._y > self._column_top:
            self._y += 0.8 * self.style.leading
        for line in lines:
            self._y += 1.15 * self.style.leading
            self._draw(self._left, line, None, font, self.style.size + 1)
        self._y += 0.3 * self.style.leading
        self._heading = text

    def front(self, title: str, abstract: list[str]) -> None:
        """Title, authors, address, DOI, abstract; the latter over both columns if wide."""
        c, style = self._canvas, self.style
        names = "Test Author, Other Tester"
        self.truth.title = title
        if style.metadata:
            c.setTitle(title)
            c.setAuthor(names)
            self.truth.authors = names  # else they are not surely known
        if style.own_doi:
            self.truth.doi = f"10.5555/made.up.{self._seed}"
            c.setFont("Helvetica", 7.5)
            c.drawString(self._margin, self._height - 56, f"https://doi.org/{self.truth.doi}")
        font = self._names(True)
        inner = self._width - 2 * self._margin
        self._y = 80.0
        for line in self._lines(title.split(), inner, font, 17):
            self._y += 20
            c.setFont(font, 17)
            c.drawCentredString(self._width / 2, self._height - self._y, " ".join(line))
        self._y += 22
        c.setFont(self._names(False), 11)
        c.drawCentredString(self._width / 2, self._height - self._y, names)
        self._y += 14
        address = "Institute of Made-up Glass, Test Town (this is a synthetic test paper)"
        c.setFont(self._names(False), 8)
        c.drawCentredString(self._width / 2, self._height - self._y, address)
        self._y += 14
        columns = style.columns
        if style.wide_abstract:
            self.style = _with(style, columns=1)
        self._column_top = self._y + 6
        self._y = self._column_top
        self.heading("Abstract")
        self._paragraph(_marked(abstract), "abstract")
        self.style = _with(self.style, columns=columns)
        self._y += 14
        self._column_top = self._y

    def caption(self, text: str, left: float, width: float, label: str) -> None:
        style = self.style
        font, bold = self._names(False), self._names(True)
        size = style.caption_size
        mark = f"{label}." if style.label == "mark" else label
        lines = self._lines([*mark.split(), *text.split()], width, font, size)
        for number, line in enumerate(lines):
            self._y += size * 1.18
            if number == 0 and style.label == "bold":
                words = len(mark.split())
                self._draw(left, line[:words], None, bold, size)
                shift = stringWidth(" ".join(line[:words]) + " ", bold, size)
                self._draw(left + shift, line[words:], None, font, size)
            else:
                self._draw(left, line, None, font, size)
        self.truth.captions.append((self._page, label, f"{mark} {text}"))

    def figure(
        self, kind: str = "single", *, wide: bool = False, above: bool | None = None,
        height: float = 130.0, sentences: int = 2,
    ) -> None:  # fmt: skip
        """A figure with its caption: "single", "panels", "strips" or "vector"."""
        above = self.style.captions_above if above is None else above
        self._figures += 1
        label = f"{'Figure' if self.style.label == 'mark' else 'Fig.'} {self._figures}"
        text = " ".join(self.sentences.one() for _ in range(sentences))
        inner = self._width - 2 * self._margin
        if wide and self.style.columns > 1:
            # At the top of the next page, over all columns.
            while self._column or self._y > self._top:
                self._advance()
            left, width = self._margin, inner
        else:
            self._need(height + 70)
            left, width = self._left, self._column_width
        self._y += 10
        if above:
            self.caption(text, left, width, label)
            self._y += 6
        shown = min(width, 1.5 * height)
        x = left + (width - shown) / 2
        box = (x, self._y, x + shown, self._y + height)
        images = self._pictured(kind, box)
        self._y += height
        if not above:
            self._y += 3
            self.caption(text, left, width, label)
        self._y += 12
        if wide:
            self._column_top = self._y
        mark = "." if self.style.label == "mark" else ""
        self.truth.figures.append(
            TrueFigure(self._page, label, f"{label}{mark} {text}", box, images, kind)
        )

    def _pictured(self, kind: str, box: Box) -> int:
        c = self._canvas
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        seed = self._seed * 1000 + self._figures * 10

        def place(picture: Image.Image, x: float, y: float, w: float, h: float, form: str) -> None:
            told = io.BytesIO()
            picture.save(told, form)
            c.drawImage(ImageReader(told), x, self._height - y - h, w, h)

        if kind == "single":
            place(micrograph(seed), left, top, width, height, "JPEG")
            return 1
        if kind == "panels":
            gap = 6.0
            w, h = (width - gap) / 2, (height - gap) / 2
            for number in range(4):
                x, y = left + (number % 2) * (w + gap), top + (number // 2) * (h + gap)
                place(micrograph(seed + number), x, y, w, h, "PNG")
                c.setFont("Helvetica-Bold", 9)
                c.setFillGray(1)
                c.drawString(x + 4, self._height - y - 12, f"({'abcd'[number]})")
                c.setFillGray(0)
            return 4
        if kind == "strips":
            picture = micrograph(seed)
            for number in range(6):
                part = picture.crop((0, number * 30, 240, (number + 1) * 30))
                place(part, left, top + number * height / 6, width, height / 6, "PNG")
            return 6
        rng = np.random.default_rng(seed)
        x0, y0 = left + 25, self._height - bottom + 22
        c.line(x0, y0, right - 4, y0)
        c.line(x0, y0, x0, self._height - top - 4)
        for tick in range(6):
            x = x0 + tick * (right - 8 - x0) / 5
            c.line(x, y0, x, y0 - 4)
            c.setFont("Helvetica", 7)
            c.drawCentredString(x, y0 - 11, str(tick * 20))
            y = y0 + tick * (self._height - top - 10 - y0) / 5
            c.line(x0, y, x0 - 4, y)
            c.drawRightString(x0 - 6, y - 2, str(tick))
        c.drawCentredString((x0 + right) / 2, self._height - bottom + 3, "Temperature / K")
        path = c.beginPath()
        points = np.column_stack(
            [np.linspace(x0, right - 8, 20), y0 + 4 + rng.uniform(0, height - 50, 20)]
        )
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        c.drawPath(path)
        for x, y in points:
            c.circle(x, y, 1.5)
        return 0

    def references(self, count: int) -> None:
        """A list of made-up references, each with a DOI that is not this paper's."""
        self.heading("References")
        for number in range(1, count + 1):
            text = (f"[{number}] A. Test, B. Tester, Made-up reference {number} on "
                    f"{self._random.choice(_SUBJECTS)}, J. Made-up Glass {number} (2010) "
                    f"{number}-{number + 9}. https://doi.org/10.5555/other.{number}")  # fmt: skip
            self.truth.absent.append(f"Made-up reference {number} on")
            for line in self._lines(text.split(), self._column_width, self._names(False), 8):
                self._need(10)
                self._y += 10
                self._draw(self._left, line, None, self._names(False), 8)

    def saved(self) -> Truth:
        self.truth.pages = self._page
        self._canvas.save()
        return self.truth


def _with(style: Style, **changes: Any) -> Style:
    import dataclasses

    return dataclasses.replace(style, **changes)


def _marked(sentences: Any) -> list[tuple[str, str | None]]:
    marked: list[tuple[str, str | None]] = []
    for sentence in sentences:
        whole = " ".join(sentence.replace("\n", " ").split())
        words = re.findall(r"\n|\S+", sentence)
        marked += [(word, whole if number == 0 else None) for number, word in enumerate(words)]
    return marked


def trap(style: Style, number: int) -> str:
    """A sentence with a line that begins like a caption and is none."""
    word = "Figure" if style.label == "mark" else "Fig."
    return (f"What has been told of made-up case {number} is drawn \n{word} 1 and 2 show such a"
            f" case {number} quite clearly.")  # fmt: skip


def write_paper(path: Path, seed: int, style: Style | None = None, sections: int = 4) -> Truth:
    """A paper of a few pages: sections, every kind of figure, traps, references."""
    style = style or STYLES[seed % len(STYLES)]
    writer = Writer(path, style, seed)
    told = writer.sentences
    writer.front(f"Made-up glass number {seed}: a synthetic paper for testing", told.some(4, 7))
    kinds = ["single", "panels", "strips", "vector"]
    rng = random.Random(seed)
    rng.shuffle(kinds)
    for number in range(1, sections + 1):
        name = ["Introduction", "Experimental", "Results", "Discussion", "Outlook"][
            (number - 1) % 5
        ]
        writer.heading(f"{number}. {name}" if style.numbered else name)
        for part in range(rng.randint(3, 5)):
            sentences = told.some(4, 8)
            if part == 1:
                sentences.insert(2, trap(style, seed * 10 + number))
            writer.paragraph(*sentences)
            if part == 1:
                wide = style.columns > 1 and rng.random() < 0.3
                writer.figure(kinds[(number - 1) % 4], wide=wide)
    writer.heading("5. Conclusions" if style.numbered else "Conclusions")
    writer.paragraph(*told.some(4, 6))
    writer.references(rng.randint(8, 20))
    return writer.saved()


STYLES = (
    Style(),
    Style(columns=1, label="bold", caption_size=9.0),
    Style(font="Helvetica", size=9.0, leading=11.0, label="bold", logo=True, wide_abstract=False),
    Style(captions_above=True, caption_size=9.0, gutter=14.0),
    Style(columns=1, numbered=False, justify=False, logo=True, metadata=False),
    Style(size=9.5, leading=11.5, caption_size=9.5, justify=False, numbered=False),
)


def drawn_style(seed: int) -> Style:
    """A style whose every setting is drawn by chance, within what journals do."""
    rng = random.Random(seed * 7919)
    size = rng.choice([8.5, 9.0, 9.5, 10.0, 10.5, 11.0])
    return Style(
        columns=rng.choice([1, 2, 2, 2, 3]),
        font=rng.choice(["Times", "Helvetica"]),
        size=size,
        leading=size * rng.uniform(1.12, 1.45),
        gutter=rng.uniform(12, 28),
        label=rng.choice(["mark", "bold"]),
        caption_size=size * rng.choice([0.8, 0.85, 0.9, 1.0]),
        captions_above=rng.random() < 0.25,
        numbered=rng.random() < 0.6,
        running_heads=rng.random() < 0.8,
        logo=rng.random() < 0.3,
        hyphenate=rng.random() < 0.8,
        justify=rng.random() < 0.7,
        wide_abstract=rng.random() < 0.6,
        metadata=rng.random() < 0.6,
        own_doi=rng.random() < 0.8,
    )


# Papers that are wrong in one way each


def write_scanned(path: Path, texts: list[list[str]], dpi: int = 150) -> None:
    """Pages that are pictures of their lines and nothing else."""
    canvas = Canvas(str(path), pagesize=A4)
    for lines in texts:
        picture = Image.new("L", (int(A4[0] * dpi / 72), int(A4[1] * dpi / 72)), 255)
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(int(12 * dpi / 72))
        for number, line in enumerate(lines):
            draw.text((100, 120 + number * int(18 * dpi / 72)), line, fill=0, font=font)
        canvas.drawImage(ImageReader(picture), 0, 0, *A4)
        canvas.showPage()
    canvas.save()


def write_encrypted(path: Path, password: str) -> None:
    """A paper that asks for `password`; "" locks only printing and copying."""
    from reportlab.lib.pdfencrypt import StandardEncryption

    canvas = Canvas(
        str(path),
        pagesize=A4,
        encrypt=StandardEncryption(password, ownerPassword="owner", canCopy=0, strength=128),
    )
    canvas.drawString(72, 700, "A locked made-up paper speaks of bubbles in the melt.")
    canvas.save()


def write_rotated(path: Path, *, by_page: bool) -> None:
    """One page turned by a quarter, upright when shown (`by_page`), or one whose words lie."""
    canvas = Canvas(str(path), pagesize=A4)
    picture = ImageReader(micrograph(9))
    canvas.saveState()
    if by_page:
        # Shown turned clockwise by 90: drawn turned the other way.
        canvas.setPageRotation(90)
    canvas.translate(A4[0], 0)
    canvas.rotate(90)
    # Here the page is A4 across: 842 wide, 595 high.
    canvas.setFont("Times-Roman", 10)
    for number in range(6):
        canvas.drawString(
            80, 500 - 12 * number, f"Line {number} of a turned made-up page of glass."
        )
    canvas.drawImage(picture, 80, 200, 240, 160)
    canvas.setFont("Times-Roman", 8.5)
    canvas.drawString(80, 186, "Figure 1. A made-up micrograph on a turned page.")
    canvas.restoreState()
    canvas.save()


def write_lines(path: Path, lines: list[str]) -> None:
    """One page with these lines, and nothing else."""
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Times-Roman", 10)
    for number, line in enumerate(lines):
        canvas.drawString(72, 700 - 12 * number, line)
    canvas.save()


def write_raw(path: Path, objects: list[bytes]) -> None:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    told = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(told))
        told += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(told)
    told += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    told += b"".join(b"%010d 00000 n \n" % place for place in places)
    told += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    path.write_bytes(told)


def stream(data: bytes, told: bytes = b"") -> bytes:
    """A stream object, with more in its dictionary."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), told, data)


_WORDS = b"BT /F1 12 Tf 72 700 Td (These are made-up words on glass, long enough.) Tj ET "
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"


def _one_page(path: Path, resources: bytes, content: bytes, *more: bytes) -> None:
    """A page whose objects 1 to 4 are the frame, 5 the content, 6 and on `more`."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << "
    page += b"/Font << /F1 4 0 R >> %b >> >>" % resources
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    catalogue = b"<< /Type /Catalog /Pages 2 0 R >>"
    write_raw(path, [catalogue, pages, page, _FONT, content, *more])


def write_form_bomb(path: Path, depth: int = 12) -> None:
    """Forms that each draw the next ten times: ten to the `depth` pieces to draw."""
    forms = []
    for number in range(depth):
        inner = b"/X Do " * 10 if number < depth - 1 else b"0 0 1 1 re f "
        more = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] "
        if number < depth - 1:
            more += b"/Resources << /XObject << /X %d 0 R >> >>" % (7 + number)
        forms.append(stream(inner, more))
    _one_page(path, b"/XObject << /X 6 0 R >>", stream(_WORDS + b"/X Do " * 10), *forms)


def write_content_bomb(path: Path, megabytes: int) -> None:
    """A page whose content unfolds to this much from almost nothing."""
    packer = zlib.compressobj(9)
    packed = packer.compress(_WORDS)
    for _ in range(megabytes):
        packed += packer.compress(b" " * 1_000_000)
    packed += packer.flush()
    _one_page(path, b"", stream(packed, b"/Filter /FlateDecode"))


def write_image_bomb(path: Path, side: int = 30_000) -> None:
    """A page with words, and an image of side × side pixels from almost nothing."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(side * 10)) for _ in range(side // 10))
    packed += packer.flush()
    image = stream(
        packed,
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray"
        b" /BitsPerComponent 8 /Filter /FlateDecode" % (side, side),
    )
    content = _WORDS + b"q 300 0 0 300 100 200 cm /X Do Q"
    _one_page(path, b"/XObject << /X 6 0 R >>", stream(content), image)


def write_long(path: Path, pages: int) -> None:
    """Many pages of one column, quickly; every page says its number in words of its own."""
    canvas = Canvas(str(path), pagesize=A4)
    told = Sentences(pages)
    lines = [told.one() for _ in range(40)]
    for page in range(1, pages + 1):
        canvas.setFont("Times-Roman", 10)
        # Not at the edge, where what returns on every page is furniture.
        numbered = [*lines[:20], f"Leaf number {page} is made up.", *lines[20:]]
        for number, line in enumerate(numbered):
            canvas.drawString(72, 760 - 14 * number, line)
        canvas.showPage()
    canvas.save()


def write_odd_numbers(path: Path) -> None:
    """Words with sizes and places that no page has, before some that it has."""
    odd = b"".join(
        b"BT /F1 %b Tf %b Tm (odd) Tj ET " % (size, matrix)
        for size in (b"0", b"-12", b"1e30", b"99999999999999999999999999999999999999999999")
        for matrix in (b"1 0 0 1 72 500", b"0 0 0 0 72 500", b"1e38 0 0 1e38 1e38 1e38")
    )
    _one_page(path, b"", stream(odd + _WORDS))


def write_no_size(path: Path) -> None:
    """A page whose box is empty or endless; PDFium may take another in its stead."""
    content = stream(_WORDS)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e9 1e9] /CropBox [5 5 5 5]"
    page += b" /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    write_raw(path, [b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, _FONT, content])


def write_cloud(path: Path, points: int) -> None:
    """A drawing of many points above its caption."""
    rng = np.random.default_rng(points)
    canvas = Canvas(str(path), pagesize=A4)
    for x, y in rng.uniform((100, 400), (400, 600), (points, 2)):
        canvas.circle(x, y, 1)
    canvas.setFont("Times-Roman", 9)
    canvas.drawString(100, 385, "Figure 1. A made-up cloud of points.")
    canvas.drawString(72, 300, "Made-up words of the page that go on below the figure.")
    canvas.save()
