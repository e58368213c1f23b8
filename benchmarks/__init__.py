"""Measurements, as ratios taken in one run. Nothing here is a test."""
