"""Reads training data of any kind into one dataset, and reports on every row."""
