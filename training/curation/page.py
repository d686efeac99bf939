"""WORK/review.html: every pair beside its picture, for people who would rather look than read.

One file that a browser opens from the disk: it loads nothing from anywhere and sends nothing.
Decisions are clicked, kept in the page until they are saved as decisions.json, and come into the
ledger with `glassview curate review WORK --from decisions.json --by NAME`. All words of papers,
servers and people are text in it, never markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from glassllava.quotation import find, visible
from training.curation.figure import Figure
from training.curation.ledger import Written
from training.curation.review import VERDICT, drawn
from training.whole import write_whole

FILE = "review.html"

_STYLE = """
:root { color-scheme: light dark; --edge: color-mix(in srgb, currentColor 22%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 0 auto;
  padding: 0 1rem 6rem; }
header { position: sticky; top: 0; background: Canvas; padding: .7rem 0; z-index: 1;
  border-bottom: 1px solid var(--edge); display: flex; gap: 1rem; align-items: center;
  flex-wrap: wrap; }
header h1 { font-size: 1.1rem; margin: 0; }
header output { margin-left: auto; font-variant-numeric: tabular-nums; }
section { display: grid; grid-template-columns: minmax(260px, 420px) 1fr; gap: .4rem 1.6rem;
  padding: 1.6rem 0; border-bottom: 1px solid var(--edge); }
@media (max-width: 720px) { section { grid-template-columns: 1fr; } }
figure { margin: 0; position: sticky; top: 4.2rem; align-self: start; }
img { width: 100%; max-height: 70vh; object-fit: contain; background: #8882; border-radius: 4px; }
figcaption, .of { font-size: .85rem; opacity: .78; }
mark { background: #ffd54f; color: #222; border-radius: 2px; }
article { border: 1px solid var(--edge); border-left-width: 6px; border-radius: 4px;
  padding: .7rem .9rem; margin: 0 0 .8rem; }
article p { margin: .2rem 0; }
.q { font-weight: 600; }
.of code { user-select: all; }
[data-d=accept] { border-left-color: #2e9e5b; } [data-d=reject] { border-left-color: #d2483f; }
[data-d=edit] { border-left-color: #d99a00; }
button { font: inherit; padding: .15rem .7rem; margin: .3rem .3rem 0 0; cursor: pointer; }
button[aria-pressed=true] { font-weight: 700; outline: 2px solid; }
[hidden] { display: none !important; }
label { display: block; margin-top: .4rem; font-size: .85rem; }
textarea { width: 100%; box-sizing: border-box; font: inherit; }
"""

_SCRIPT = """
const all = document.querySelectorAll('article'), count = document.querySelector('output');
const touched = new Map();
function show() {
  let done = 0;
  for (const a of all) if (a.dataset.d) done += 1;
  count.textContent = done + ' of ' + all.length + ' decided, ' + touched.size + ' not saved';
}
for (const a of all) {
  const fields = a.querySelectorAll('textarea');
  for (const b of a.querySelectorAll('button')) b.addEventListener('click', () => {
    a.dataset.d = a.dataset.d === b.value ? '' : b.value;
    if (a.dataset.d || a.dataset.was) touched.set(a.id, a); else touched.delete(a.id);
    for (const o of a.querySelectorAll('button'))
      o.setAttribute('aria-pressed', o.value === a.dataset.d);
    for (const f of fields) f.parentElement.hidden = f.name !== 'reason'
      ? a.dataset.d !== 'edit' : !['edit', 'reject'].includes(a.dataset.d);
    show();
  });
}
document.querySelector('#save').addEventListener('click', () => {
  const rows = [];
  for (const [id, a] of touched) {
    const row = {pair: id, decision: a.dataset.d};
    for (const f of a.querySelectorAll('textarea'))
      if (!f.parentElement.hidden) row[f.name] = f.value;
    rows.push(row);
  }
  const link = document.createElement('a');
  const text = JSON.stringify(rows, null, 1);
  link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  link.download = 'decisions.json';
  link.click();
  touched.clear();
  show();
});
window.addEventListener('beforeunload', e => { if (touched.size) e.preventDefault(); });
show();
"""


def write_page(work: Path, pairs: Iterable[Written], figures: Mapping[str, Figure]) -> Path:
    """Write the page of `pairs`, a figure a section, figures in the order of the draw; its path.

    Raises
    ------
    RunUnavailable : where it cannot be written.
    """
    by_figure: dict[str, list[Written]] = {}
    for one in drawn([one for one in pairs if one.figure in figures]):
        by_figure.setdefault(one.figure, []).append(one)
    sections = [_section(figures[id_], found) for id_, found in by_figure.items()]
    path = work / FILE
    write_whole(path, _page(sections))
    return path


def _page(sections: list[str]) -> str:
    # Only this very script and style run, whatever a paper's words may hold.
    policy = (
        f"default-src 'none'; img-src 'self' file: blob:; style-src '{_hash(_STYLE)}'; "
        f"script-src '{_hash(_SCRIPT)}'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Review of pairs</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        "<header><h1>Does the answer follow from the words and the picture?</h1>"
        '<output></output><button id="save">Save decisions.json</button></header>\n'
        + "\n".join(sections)
        + f"\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _section(figure: Figure, pairs: list[Written]) -> str:
    support = [words for one in pairs for words in one.pair.support]
    title = ", ".join(filter(None, (figure.title, figure.authors, str(figure.year or ""))))
    page = f", p. {figure.page}" if figure.page else ""
    sample = "; ".join(f"{key}: {value}" for key, value in pairs[0].sample.items())
    words = [figure.caption, *figure.context]
    return (
        f'<section><figure><img loading="lazy" alt="{_text(figure.name)}" '
        f'src="{_text(quote(figure.image))}">'
        f"<figcaption>{_text(title)}. {_text(figure.name)}{page}. "
        f"{_text(figure.licence or 'Licence not stated')}."
        + (f"<br>Sample: {_text(sample)}" if sample else "")
        + "".join(f"<p>{_marked(text, support)}</p>" for text in words if text)
        + "</figcaption></figure><div>"
        + "".join(map(_article, pairs))
        + "</div></section>"
    )


def _article(one: Written) -> str:
    pair, decision = one.standing, one.decision
    by = f" · {one.decision} by {_text(one.review.who)}" if one.review else ""
    buttons = "".join(
        f'<button value="{word}" aria-pressed="{str(word == decision).lower()}">{label}</button>'
        for word, label in (("accept", "Accept"), ("edit", "Edit"), ("reject", "Reject"))
    )
    fields = "" if pair.kind == "verdict" else _field("question", "Question", pair.question, 2)
    fields += _field("answer", "Answer", pair.answer, 2) + _field("reason", "Why", "", 1)
    return (
        f'<article id="{_text(one.id)}" data-d="{decision}" data-was="{decision}">'
        f'<p class="of"><code>{_text(one.id)}</code> · {pair.kind}, level {pair.level}, '
        f"{_text(', '.join(pair.features)) or 'no feature'}{by}</p>"
        f'<p class="q">{_text(pair.question or VERDICT)}</p><p>{_text(pair.answer)}</p>'
        + "".join(f'<p class="of">from: “{_text(words)}”</p>' for words in pair.support)
        + f"{buttons}{fields}</article>"
    )


def _field(name: str, label: str, value: str, rows: int) -> str:
    return (
        f'<label hidden>{label}<textarea name="{name}" rows="{rows}">{_text(value)}'
        "</textarea></label>"
    )


def _marked(text: str, support: list[str]) -> str:
    """`text` with the words that carry answers marked."""
    marks = [place for words in support if (place := find(words, text))]
    told, at = "", 0
    for start, end in sorted(marks):
        if start >= at:
            told += f"{_text(text[at:start])}<mark>{_text(text[start:end])}</mark>"
            at = end
    return told + _text(text[at:])


def _text(words: str) -> str:
    return html.escape(visible(words))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
