"""The checkpoint that ships: what it is taught, on which synthetic micrographs, from what start."""
