"""Reading and writing: assets, videos, sound, images, files of tensors; whole files or none."""
