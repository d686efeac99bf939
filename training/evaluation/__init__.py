"""The evaluation: cases, controls, grades and baselines; figures with intervals; the card.

`evaluating` tells the story of `glassview evaluate`, of any model; `embedded` judges the checkpoint
that ships while it is made, with `tables` for its card. `scores` serves both.
"""
