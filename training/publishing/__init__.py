"""Models and bundles to the Hugging Face Hub or to S3, and back."""
