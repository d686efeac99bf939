"""GlassView, the roof: the desktop, and the one command that opens every door of the house."""
