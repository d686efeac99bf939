"""The measures against worked examples; the bundled questions; the command over a real library."""

from __future__ import annotations

import argparse
import json
import math
import tomllib

import numpy as np
import pytest

from glassllava.errors import BadInput
from glassllava.literature import Passage
from rag import judging, passages
from rag.cli import add_commands
from rag.evaluation import Question, interval, measured, read_questions, score
from tests.rag.made_papers import FRESH_QUESTIONS, QUESTIONS, sources


def run(*words):
    parser = argparse.ArgumentParser(prog="glassview")
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["library", *map(str, words)])
    return args.run(args)


IDS = {entry.passage.id for entry in passages.primer().entries}


def test_measures_of_a_worked_example():
    ndcg, recall, mrr, page = measured({"a": 2, "b": 1}, ["x", "b", "a"])
    assert ndcg == pytest.approx((1 / math.log2(3) + 3 / 2) / (3 + 1 / math.log2(3)))
    assert (recall, mrr) == (1.0, 0.5)
    assert math.isnan(page)
    assert measured({"a": 2}, [])[:3] == (0.0, 0.0, 0.0)
    assert measured({"a": 2, "b": 1}, ["a", "b"])[:3] == (1.0, 1.0, 1.0)


def test_several_passages_of_a_page_count_once_and_fill_the_prompt():
    relevant = {"T, p. 2": 2, "T, p. 3": 1}
    ndcg, _, _, page = measured(relevant, ["T, p. 2", "T, p. 2", "T, p. 3"])
    assert (ndcg, page) == (1.0, 1.0)
    late = ["T, p. 1"] * 5 + ["T, p. 2"]
    assert measured(relevant, late)[3] == 0.0  # the sixth passage is not given
    assert measured(relevant, ["T, p. 3"])[3] == 0.0  # it helps, and does not answer
    assert measured(relevant, late)[2] == 0.5  # the second page


def test_recall_is_of_at_most_five():
    relevant = {str(n): 1 for n in range(8)}
    assert measured(relevant, list("01234"))[1] == 1.0


def test_an_interval_draws_whole_groups():
    values = np.array([0.0] * 10 + [1.0] * 10)
    alone = interval(values, [str(n) for n in range(20)])
    grouped = interval(values, ["a"] * 10 + ["b"] * 10)
    assert alone.mean == grouped.mean == 0.5
    assert 0.25 < alone.low < 0.35 < 0.65 < alone.high < 0.75
    assert (grouped.low, grouped.high) == (0.0, 1.0)


def test_silence_is_counted_and_differences_are_paired():
    questions = [
        Question("1", "a", "", "test", {"p:1": 2}, "1"),
        Question("2", "b", "", "test", {"p:1": 2}, "2"),
        Question("3", "c", "", "test", {}, "3"),
    ]
    found = {"a": [Passage("p:1", "", "T")], "b": [], "c": []}
    ours = score(questions, lambda query, limit: found[query])
    other = score(questions, lambda query, limit: [])
    assert ours.silence == (1, 2, 1)
    assert ours.interval("ndcg@10", other).mean == 0.5
    assert ours.interval("page recall@5") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("question = 3", "not a file of judged"),
        ("[[question]]\nid = 'a'\ntext = 'x'\nrelevant = { p = 3 }", "neither 1 nor 2"),
        ("[[question]]\nid = 'a'\nrelevant = {}", "text"),
        ("[[question]\n", "not a file of judged"),
        ("[[question]]\nid = 'a'\ntext = 'x'\nrelevant = {}\n" * 2, "same id"),
    ],
)
def test_a_bad_file_of_questions_is_refused(tmp_path, text, why):
    path = tmp_path / "q.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=why):
        read_questions(path)
    with pytest.raises(BadInput):
        read_questions(tmp_path / "none.toml")


def test_the_bundled_questions_judge_passages_that_are_there():
    questions = read_questions(judging.BUNDLED)
    assert sum(question.is_answerable for question in questions) >= 150
    assert {key for question in questions for key in question.relevant} <= IDS
    assert {question.split for question in questions} == {"tune", "test"}
    assert len({question.text for question in questions}) == len(questions)


def test_the_questions_on_papers_judge_pages_that_are_there():
    pages = set()
    for source in sources():
        paper = tomllib.loads(source.read_text("utf-8"))
        assert 4 <= len(paper["page"]) <= 8
        assert "made-up paper" in " ".join(paper["page"][-1]["text"].split())
        pages |= {f"{paper['title']}, p. {n + 1}" for n in range(len(paper["page"]))}
    fresh = read_questions(FRESH_QUESTIONS)
    assert len(fresh) == 80
    assert {question.split for question in fresh} == {"test"}
    questions = (*read_questions(QUESTIONS), *fresh)
    assert all(question.is_answerable for question in questions)
    assert len({question.id for question in questions}) == len(questions) == 140
    assert {key for question in questions for key in question.relevant} <= pages
    by_paper = {question.group: set() for question in questions}
    for question in questions:
        by_paper[question.group].add(question.split)
    assert len(by_paper) == 20
    assert all(len(splits) == 1 for splits in by_paper.values())  # a paper is of one split


def test_the_command_tells_ours_and_the_baselines(folder, capsys, primer_library):
    assert run("evaluate", "--split", "tune", "--json", "--library", folder) == 0
    told = json.loads(capsys.readouterr().out)
    ways = told["ways"]
    assert list(ways) == ["BM25 alone", "dense alone", "ours"]
    for other in ("BM25 alone", "dense alone"):
        assert ways[other]["ours above it"]["ndcg@10"][1] > 0, other
    assert ways["ours"]["no_evidence"]["right"] >= 18  # measured: 20 of 37


def test_what_is_judged_is_what_a_search_finds(primer_library):
    ours = judging.searches_of(primer_library, "primer")["ours"]
    for question in read_questions(judging.BUNDLED)[::20]:
        found = [passage.id for passage in primer_library.search(question.text, 10)]
        assert [passage.id for passage in ours(question.text, 10)] == found


def test_a_person_s_own_questions_are_asked_of_all(folder, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[question]]\nid = "1"\ntext = "needle fans in soda-lime glass"\n'
        'relevant = { "primer:44" = 2 }\n'
    )
    assert run("evaluate", "--questions", path, "--library", folder) == 0
    told = capsys.readouterr().out
    assert "1 questions with an answer" in told
    assert "| ours | 1.000" in told
    with pytest.raises(BadInput, match="split"):
        run("evaluate", "--questions", path, "--split", "tune", "--library", folder)
