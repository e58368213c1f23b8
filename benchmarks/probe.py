"""Run the handler in this process and print the duration of loading and answers, and the peak memory, as JSON.

The measurements start it, so that each figure comes from a fresh process. Settings come from the environment.
"""

import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()


def main() -> int:
    """Measure and print. The argument is the number of answers; stdin has the event to answer, as JSON."""
    request, runs = json.load(sys.stdin), int(sys.argv[1])
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        measured = measure(request, runs)
    print(json.dumps(measured))
    return 0


def measure(request: dict[str, Any], runs: int) -> dict[str, float]:
    """Return the duration of loading and of answers in milliseconds, and the peak resident memory in MB."""
    from handler.entrypoint import lambda_handler

    loaded = time.perf_counter()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        answer = lambda_handler(request, None)
        times.append((time.perf_counter() - started) * 1000)
        if answer["statusCode"] != 200:
            raise SystemExit(f"error: the handler answered {answer}")
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    times.sort()
    return {
        "load_milliseconds": (loaded - STARTED) * 1000,
        "answer_milliseconds": times[len(times) // 2],
        "p99_milliseconds": times[int(len(times) * 0.99)],
        "peak_megabytes": int(peak.split()[1]) * 1024 / 1e6,
    }


if __name__ == "__main__":
    raise SystemExit(main())
