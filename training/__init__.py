"""The making of GlassLLaVA: synthetic micrographs, curation, training, evaluation."""
