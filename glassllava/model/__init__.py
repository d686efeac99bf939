"""The model: one protocol, and the backends that satisfy it (embedded, folder, endpoint, scripted).

Importing this package costs nothing; torch is imported by the backend that needs it.
"""
