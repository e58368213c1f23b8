"""What a trained model does well and badly: answers, metrics, thresholds, pictures and a report."""
