"""The definitions that grades are given by: ours, since the paper's are not public.

The paper (arXiv 2309.12460) names four figures and four levels of context, and publishes neither
its rubric nor what its levels tell. What stands here is how we read them; a judge is shown the
same words that a reader of the result is.
"""

from __future__ import annotations

from glassllava.sample import ContextLevel

#: What each level tells the model beyond the picture and the question.
LEVEL_MEANINGS: dict[ContextLevel, str] = {
    "none": "the picture alone",
    "basic": "the material",
    "moderate": "the whole sample (material, process, treatment, preparation, product, state, "
    "position, layer, what is intended, notes) and the microscope's settings",
    "high": "all of that, what was measured on the picture, and passages of literature",
}
QUALITY = (
    "Quality of the answer, 0 to 100, against the reference answer: 100 says all that the "
    "reference says and nothing that is false; 75 misses one minor thing or adds one minor "
    "falsehood; 50 has the main thing right and the rest wrong or missing; 25 is mostly wrong with "
    "something right in it; 0 is wrong, empty, says everything at once, or contradicts itself. A "
    "number, a citation or a quotation that nothing supports takes points. Length, style and "
    "politeness give none."
)
FEATURES = (
    "Feature identification, 1 to 4, of the description against the features that are there: 4 "
    "names all of them and no other; 3 misses one or names one too many, with at least one right; "
    "2 names at least one of them, and no more wrong ones than there are right ones to name; 1 "
    "names none of them, or more wrong ones than that."
)
OFFLINE = (
    "The offline score (0 to 100) is computed from words, by a program. Features: F1 between the "
    "features the text says are there and those that are, moved so that naming all sixteen gives 0 "
    "(a feature both affirmed and denied counts as not named); asked only where the reference "
    "names features. Verdict: 1 where the text gives the verdict of the truth, else 0 "
    "(contradiction, silence and a wrong 'it depends' are 0); asked only where the reference gives "
    "one. Where the reference does neither: F1 of the content words with the reference. The mean "
    "of what was asked, times the share of its numbers, citations and quotations that the prompt "
    "or the reference supports. It judges neither reasons nor style, and it is not the paper's "
    "GPT-4 figure. Features 1 to 4 follow the rubric by counting."
)
