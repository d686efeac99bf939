"""The fair judge: a model that learned from synthetic micrographs is asked about real ones.

`judging` tells the story; `pictures` knows the folder of real micrographs, `maps` the vision tower,
`probes` and `textures` what else could be learned from the same data. Run as a module:
`python -m training.evaluation.transfer --help`.
"""
