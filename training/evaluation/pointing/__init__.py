"""Does the model see a feature where it is? `python -m training.evaluation.pointing` tells.

`places` judges masks; `painted` is about the generator's micrographs; `findings` about what the
product makes of map and measurement together; `hiding` about occlusion; `sheet` draws.
"""
