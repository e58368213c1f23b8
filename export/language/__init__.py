"""Build a language model without training: fastText's language identification, limited to a bot's languages."""
