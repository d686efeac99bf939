"""GlassLLaVA, the ground floor: sees a micrograph, measures it, asks a model, answers.

Knows nothing of collections of papers, of folders and nights, of training or of windows.
"""

__version__ = "0.1.0"
