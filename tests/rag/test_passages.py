"""A person's own texts: cut by heading and paragraph, refused when they are something else."""

from __future__ import annotations

import pytest

from glassllava.errors import BadInput
from rag.passages import read_text


def test_markdown_is_cut_by_heading(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text(
        "# Our furnace\n\nSeeds since Monday.\n\nStill seeds.\n\n## Tests\n\n" + "word " * 300
    )
    document = read_text(path)
    assert document.title == "Our furnace"
    first, *rest = [entry.passage for entry in document.entries]
    assert first.text == "Seeds since Monday.\nStill seeds."
    assert first.locator == "Our furnace, section Our furnace, paragraph 1"
    assert [len(passage.text.split()) for passage in rest] == [130, 130, 40]
    assert {passage.section for passage in rest} == {"Tests, paragraph 3"}


def test_ids_follow_the_content_not_the_place(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Cord near the forehearth.")
    one, other = (read_text(tmp_path / name).entries[0] for name in ("a.txt", "b.txt"))
    assert one.passage.id == other.passage.id


def test_control_and_bidirectional_characters_are_dropped(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("bub\u202eble\x1b[31m and cord")
    assert read_text(path).entries[0].passage.text == "bubble[31m and cord"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("paper.pdf", b"%PDF-1.7 ...", "PDFs cannot be added yet"),
        ("liar.txt", b"%PDF-1.7 ...", "PDFs cannot be added yet"),
        ("empty.md", b"", "holds no text"),
        ("only.md", b"# Heading\n", "holds no text"),
        ("binary.txt", b"ab\0cd", "not Markdown or plain text"),
        ("sheet.docx", b"words", "not Markdown or plain text"),
        ("latin.txt", "Käse".encode("latin-1"), "not UTF-8"),
        ("large.txt", b"a " * (4 * 1024 * 1024 + 1), "larger than 8 MB"),
    ],
)
def test_what_is_no_text_is_refused_in_words(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        read_text(path)
    assert says in caught.value.what
    assert caught.value.where == str(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_text(tmp_path / "none.md")
    with pytest.raises(BadInput, match="cannot be read"):
        read_text(tmp_path)
