"""Measure a warm answer: Hexabot's request through `lambda_handler`, beside the bare graphs that it runs.

The one process answers both, interleaved, so that their ratio holds on a noisy machine too.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

import numpy as np

from handler.auth import new_token
from scripts.ask_emulator import TEXTS, hexabot_event

PERCENTILES = (0, 50, 99, 100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table in milliseconds. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="?", default="examples/bundles", help="a folder of bundles (%(default)s)")
    parser.add_argument("--runs", type=int, default=500, help="answers to measure (%(default)s)")
    options = parser.parse_args(arguments)
    token, digest = new_token()
    os.environ |= {"NLU_BUNDLES": options.bundles, "NLU_TOKEN_DIGESTS": digest, "NLU_LOG_LEVEL": "WARNING"}
    from handler.entrypoint import lambda_handler, service

    events = [hexabot_event(text, token) for text in TEXTS]
    inputs = [{name: model.encode([{"text": text}]) for name, model in service.predictors.items()} for text in TEXTS]

    def answer(index: int) -> None:
        if lambda_handler(events[index % len(TEXTS)], None)["statusCode"] != 200:
            raise SystemExit("error: the handler refused the request")

    def run_graphs(index: int) -> None:
        for name, model in service.predictors.items():
            model._graph.run(inputs[index % len(TEXTS)][name])

    answers, graphs = [], []
    for index in range(-20, options.runs):  # the first 20 warm up
        took = milliseconds(answer, index), milliseconds(run_graphs, index)
        if index >= 0:
            answers.append(took[0])
            graphs.append(took[1])
    print(f"{'milliseconds':<24}{'min':>8}{'median':>8}{'p99':>8}{'max':>8}")
    for name, measured in (("answer", answers), ("its graphs alone", graphs)):
        print(f"{name:<24}" + "".join(f"{value:8.2f}" for value in np.percentile(measured, PERCENTILES)))
    print(f"answer / graphs, medians: {np.median(answers) / np.median(graphs):.2f}")
    return 0


def milliseconds(run: Callable[[int], None], index: int) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run(index)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
