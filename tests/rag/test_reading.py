"""What a file is, which files a folder holds, and texts: read, or refused in words."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import pytest

from glassllava.errors import BadInput
from rag.reading import find_documents, read_document


def test_markdown_is_cut_by_heading(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text(
        "# Our furnace\n\nSeeds since Monday.\n\nStill seeds.\n\n## Tests\n\n" + "word " * 300
    )
    document = read_document(path)
    assert (document.title, document.kind) == ("Our furnace", "text")
    first, *rest = [entry.passage for entry in document.entries]
    assert first.text == "Seeds since Monday.\nStill seeds."
    assert first.locator == "Our furnace, section Our furnace, paragraph 1"
    assert [len(passage.text.split()) for passage in rest] == [130, 130, 40]
    assert {passage.section for passage in rest} == {"Tests, paragraph 3"}


def test_a_heading_needs_no_empty_line(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("# One\nfirst words\n## Two\nsecond words\r\n")
    told = [(entry.passage.section, entry.passage.text) for entry in read_document(path).entries]
    assert told == [("One, paragraph 1", "first words"), ("Two, paragraph 2", "second words")]


def test_ids_follow_the_content_not_the_place(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Cord near the forehearth.")
    one, other = (read_document(tmp_path / name).entries[0] for name in ("a.txt", "b.txt"))
    assert one.passage.id == other.passage.id


def test_control_and_bidirectional_characters_are_dropped(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("bub\u202eble\x1b[31m and\u200b cord")
    assert read_document(path).entries[0].passage.text == "bubble[31m and cord"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_encodings_are_read(tmp_path, encoding):
    path = tmp_path / "glas.txt"
    path.write_bytes("Größe der Blasen: 3 µm, 気泡.".encode(encoding))
    assert read_document(path).entries[0].passage.text == "Größe der Blasen: 3 µm, 気泡."


@pytest.mark.parametrize("name", ["стекло.md", "ガラス.txt", "زجاج.txt", "a b'c\".md", "유리.TXT"])
def test_names_of_any_script_are_read(tmp_path, name):
    (tmp_path / name).write_text("Bubbles and cords.")
    (file,) = find_documents([tmp_path]).files
    assert read_document(file).path == str(tmp_path / name)


def _zip_bomb() -> bytes:
    told = io.BytesIO()
    with zipfile.ZipFile(told, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 50_000_000)
    return told.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.md", b"", "The file is empty"),
        ("empty.pdf", b"", "The file is empty"),
        ("only.md", b"# Heading\n", "holds no text"),
        ("spaces.txt", b" \n\n \t", "holds no text"),
        ("binary.txt", b"ab\0cd", "not Markdown or plain text"),
        ("latin.txt", "Käse".encode("latin-1"), "not UTF-8"),
        ("large.txt", b"a " * (4 * 1024 * 1024 + 1), "larger than 8 MB"),
        ("liar.pdf", b"Plain words about glass.", "not a PDF, though its name says so"),
        ("sheet.docx", _zip_bomb(), "docx"),
        ("text.odt", _zip_bomb(), "odt"),
        ("papers.zip", _zip_bomb(), "archive"),
        ("zipped.txt", _zip_bomb(), "archive"),
        ("zipped.txt", gzip.compress(b"0" * 50_000_000), "compressed"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old office document"),
        ("note.rtf", b"{\\rtf1 words}", "rich text"),
        ("sheet.csv", b"a,b", "'.csv' are not read"),
        ("README", b"words", "'without a suffix' are not read"),
        ("refs.bib", b"@article{a, title={b}}", "a bibliography, not a document"),
    ],
)
def test_what_is_not_read_is_refused_in_words(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        read_document(path)
    assert says in caught.value.what
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_a_text_of_100_mb_is_refused_without_being_read(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
        file.write(b"glass")
    with pytest.raises(BadInput, match="larger than 8 MB"):
        read_document(path)


def test_what_is_missing_or_no_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_document(tmp_path / "none.md")
    with pytest.raises(BadInput, match="cannot be read as a file"):
        read_document(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(BadInput, match="cannot be read as a file"):
            read_document(tmp_path / "pipe.txt")


def test_a_folder_is_looked_through(tmp_path):
    library = tmp_path / "library"
    (library / "deep" / "er").mkdir(parents=True)
    (library / ".hidden").mkdir()
    for name in ("b.md", "a.PDF", "deep/er/c.html", ".secret.md", ".hidden/d.md", "refs.bib",
                 "data.csv", "deep/list.ris"):  # fmt: skip
        (library / name).write_text("x")
    (library / "csl.json").write_text('[{"id": "a", "type": "article-journal"}]')
    (library / "other.json").write_text('{"a": 1}')
    found = find_documents([library, library / "b.md"])
    names = [path.relative_to(library).as_posix() for path in found.files]
    assert names == ["a.PDF", "b.md", "deep/er/c.html"]
    names = [path.relative_to(library).as_posix() for path in found.bibliographies]
    assert names == ["csl.json", "deep/list.ris", "refs.bib"]
    passed = {path.name: why for path, why in found.passed_over}
    assert passed.keys() == {"data.csv", "other.json"}
    assert "CSL" in passed["other.json"]


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b")
    assert find_documents([path]).files == (path,)


def test_no_such_path_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file or folder"):
        find_documents([tmp_path / "none"])


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_out_of_the_folder_are_not_followed(tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    (tmp_path / "private.md").write_text("not for the library")
    (tmp_path / "outside").mkdir()
    (library / "in.md").write_text("in")
    (library / "again.md").symlink_to(library / "in.md")
    (library / "out.md").symlink_to(tmp_path / "private.md")
    (library / "gone.md").symlink_to(tmp_path / "nothing.md")
    (library / "loop").symlink_to(library)
    (library / "away").symlink_to(tmp_path / "outside")
    found = find_documents([library])
    assert found.files == (library / "in.md",)
    told = {path.name: why for path, why in found.passed_over}
    assert "out of the folder" in told["out.md"]
    assert {"gone.md", "loop", "away"} < told.keys()
