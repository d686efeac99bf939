"""From a trained model to a folder that others can open, and from others' folders to ours."""
