"""Evaluation of a trained model: predictions, metrics, confidence thresholds, plots and an HTML report."""
