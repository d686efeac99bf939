"""Procedural SEM micrographs of glass, with their truth. Never imported by `glassllava`."""

from training.synthesis.files import write_tiff
from training.synthesis.generator import Plan, generate
from training.synthesis.truth import SyntheticMicrograph, TrueFeature
from training.synthesis.wide import HeldOut

__all__ = ["HeldOut", "Plan", "SyntheticMicrograph", "TrueFeature", "generate", "write_tiff"]
