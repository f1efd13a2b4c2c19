"""Pretrained networks that look at images. Each part owns its input size and range and names its source."""
