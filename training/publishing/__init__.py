"""Publishes models and bundles to the Hugging Face Hub or Amazon S3, and fetches them back."""
