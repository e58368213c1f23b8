"""Monthly costs on AWS, calculated from list prices and benchmark results. This package does not run in Lambda."""
