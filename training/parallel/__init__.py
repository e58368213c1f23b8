"""One training on many workers: each computes a part of every batch, and all apply the same averaged gradients."""
