"""Edits of clips and videos: every frame, or one frame carried on by learned dynamics; pasted back into the footage."""
