"""Procedural SEM micrographs of glass, with their truth. Never imported by `glassllava`."""

from training.synthesis.files import write_tiff
from training.synthesis.generator import Plan, generate
from training.synthesis.truth import SyntheticMicrograph, TrueFeature

__all__ = ["Plan", "SyntheticMicrograph", "TrueFeature", "generate", "write_tiff"]
