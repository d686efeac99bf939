"""Nights: a folder of micrographs in; a ledger, tables and a report out.

`scan` is the door. Importing this package costs nothing.
"""
