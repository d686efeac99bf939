"""The bundled primer: passages by theme, and the records that were seen. Data, no code."""
