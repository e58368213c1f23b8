"""What a month costs on AWS, from list prices and from what the benchmarks measured. Nothing of it runs in Lambda."""
