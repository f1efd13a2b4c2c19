"""Edits of one code: `edit(ws, strength) -> ws`."""
