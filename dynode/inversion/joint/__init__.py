"""Inversions of several frames together: windows of consecutive frames, and an encoder that remembers the frames before."""
