"""One training on one rented GPU: an EC2 instance that is given a job through S3, and that ends itself."""
