"""From images to codes: projection by optimisation, frame by frame."""
