"""Widgets: they send signals out and take setters in, and decide nothing."""
