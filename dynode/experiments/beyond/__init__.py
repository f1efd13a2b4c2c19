"""Notebook 05: online updates, calibration of predictive uncertainty."""
