"""`python -m ludwig_serverless`: run the command line where `ludwig-serverless` is not installed."""

import sys

from ludwig_serverless.cli import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], program="python -m ludwig_serverless"))
