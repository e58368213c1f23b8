"""`fit` without a configuration: the candidates that can win, compared on rows that they were not trained on."""
