"""Training of a field that clips of a world share: their codes, many more of them by simulation, and the roll-outs that learn."""
