"""The evaluation: scores with intervals, calibration on a split of its own, the card."""
