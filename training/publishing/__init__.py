"""Publish models and bundles to the Hugging Face Hub or Amazon S3, and fetch them back."""
