"""A language model without training: fastText's language identification, as a bundle for a bot's languages."""
