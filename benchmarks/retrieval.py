"""Claim: our retrieval puts answers above BM25 alone, cosine alone and llama-index's default.

`python -m benchmarks.retrieval [--split test|tune|all]` asks the judged questions of the primer
(rag/questions.toml) of the primer alone, and those of the made-up papers (tests/rag/corpus), read
through real PDFs, of the papers alone: the primer is there, as always, and may not answer. The
questions on eight of the papers were written after all that is tuned, and are told by themselves
too ("fresh papers").

llama-index's default is a VectorStoreIndex over the nodes of its SentenceSplitter with the same
embedder (its own default asks a paid service): over each passage of the primer as a document, and
over each page of a paper as a document, as its own PDF reader makes them. Fails where ours is not
above each on nDCG@10 with an interval that excludes zero.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2

import rag
from glassllava.literature import Passage
from rag.embedding import shared_embedder
from rag.evaluation import read_questions
from rag.judging import BUNDLED, as_text, evaluate, of_split, searches_of
from rag.manifest import Manifest
from rag.reading import read_document
from tests.rag.made_papers import FRESH_QUESTIONS, QUESTIONS, write_papers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.evaluation import Retriever


def embedding() -> Any:
    """Our embedder, behind llama-index's interface."""
    from llama_index.core.base.embeddings.base import BaseEmbedding

    class Same(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            found: list[list[float]] = shared_embedder().encode(texts).tolist()
            return found

        def _get_query_embedding(self, query: str) -> list[float]:
            found: list[float] = shared_embedder().query(query).tolist()
            return found

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    return Same()


def llama_index(passages: Sequence[Passage]) -> Retriever:
    """llama-index's default retriever over `passages`, each as a document of its own."""
    from llama_index.core import Document, Settings, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter

    Settings.llm = None

    by_id = {passage.id: passage for passage in passages}
    index = VectorStoreIndex.from_documents(
        [Document(text=passage.text, id_=passage.id) for passage in passages],
        transformations=[SentenceSplitter()],
        embed_model=embedding(),
    )

    def search(query: str, limit: int) -> list[Passage]:
        nodes: Any = index.as_retriever(similarity_top_k=limit).retrieve(query)
        return [by_id[node.node.ref_doc_id] for node in nodes]

    return search


def pages_of(paths: Sequence[Path]) -> list[Passage]:
    """Each page of each PDF as its bare text."""
    pages = []
    for path in paths:
        pdf = pypdfium2.PdfDocument(path)
        title = pdf.get_metadata_dict()["Title"]
        for number, page in enumerate(pdf, start=1):
            text = page.get_textpage().get_text_bounded()
            pages.append(Passage(f"{path.stem}:{number}", text, title, page=number))
        pdf.close()
    return pages


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", choices=("test", "tune", "all"), default="test")
    split = parser.parse_args().split
    missed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        papers = write_papers(folder)
        with rag.open_library(folder / "library") as library:
            ways = searches_of(library, "primer")
            manifest = Manifest(library.folder)
            primer = [item.entry.passage for item in manifest.holdings().passages]
            manifest.close()
            sets = [("primer", read_questions(BUNDLED), ways, llama_index(primer))]
            for paper in papers:
                library.add(read_document(paper))
            ways = searches_of(library, "papers")
            default = llama_index(pages_of(papers))
            fresh = read_questions(FRESH_QUESTIONS)
            sets.append(("papers", (*read_questions(QUESTIONS), *fresh), ways, default))
            if split != "tune":
                sets.append(("fresh papers", fresh, ways, default))
        for name, questions, ways, default in sets:
            told = evaluate(
                of_split(questions, split),
                {n: way for n, way in ways.items() if n != "ours"}
                | {"llama-index default": default, "ours": ways["ours"]},
            )
            print(f"\n{name}, {split}: {as_text(told)}", flush=True)
            for other, scores in told.items():
                above = told["ours"].interval("ndcg@10", scores)
                if other != "ours" and not (above and above.low > 0):
                    missed.append(f"{name}: {other}")
    print(f"\nours is not surely above: {', '.join(missed)}" if missed else "\nclaim holds")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
