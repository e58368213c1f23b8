"""Train on a rented GPU: an EC2 instance gets its job through S3, runs it, and terminates itself."""
