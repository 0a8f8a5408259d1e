"""Packages for Pyodide: what PyPI has no WebAssembly wheel of is taken from Pyodide's distribution or built here."""
