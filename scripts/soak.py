"""Run graphs a million times with random inputs through onnxruntime's C API, and print the resident memory.

`python -m scripts.soak --runs 1000000 examples/bundles/intent`. The memory must not grow, and no input may end the
process: one run in ten has a wrong dtype, shape or name, and must raise an exception.
"""

import argparse
import os
import random
import time
from contextlib import suppress
from math import prod
from pathlib import Path

from handler.bundle import read_bundle
from handler.onnx_c_api import OnnxError
from handler.onnx_session import BYTES, CSession
from handler.tensor import FORMATS, Tensor

REPORTS = 10
MOST_GROWTH_BYTES = 8 << 20


def main() -> int:
    """Run the graph of the bundle on the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, help="a folder with an ONNX graph")
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many runs (default: %(default)s)")
    options = parser.parse_args()
    graph = read_bundle(options.bundle).graph
    session = CSession(options.bundle / graph.file, 1)
    (described,) = graph.inputs
    sizes = [size if isinstance(size, int) else 5 for size in described.shape[1:]]
    source, first = random.Random(0), 0
    for number in range(options.runs):
        tensor = random_tensor(source, described.dtype, source.randint(1, 4), sizes)
        if number % 10:
            with suppress(OnnxError):  # ids outside the vocabulary
                session.run({described.name: tensor})
        else:
            refuse(session, described.name, source, tensor)
        if number % max(1, options.runs // REPORTS) == 1:
            found = resident_bytes()
            first = first or found
            print(f"{number:>9} runs: {found / 1e6:.1f} MB after {time.process_time():.0f} s of CPU time", flush=True)
    grown = resident_bytes() - first
    print(f"{options.runs:>9} runs: {resident_bytes() / 1e6:.1f} MB, {grown / 1e6:+.1f} MB")
    return 1 if grown > MOST_GROWTH_BYTES else 0


def random_tensor(source: random.Random, dtype: str, rows: int, sizes: list[int]) -> Tensor:
    """Return a tensor of random bytes; integers are small, so that lookups succeed now and then."""
    size = prod(sizes)
    if dtype in {"int32", "int64"}:
        return Tensor.of(dtype, [source.choices(range(-2, 50), k=size) for _ in range(rows)], *sizes)
    return Tensor(dtype, [rows, *sizes], source.randbytes(rows * size * BYTES[dtype]))


def refuse(session: CSession, name: str, source: random.Random, tensor: Tensor) -> None:
    """Run a graph on invalid inputs.

    Raises:
        AssertionError: The run did not fail.
    """
    other = source.choice([dtype for dtype in FORMATS if dtype != tensor.dtype])
    wrong: list[dict[str, Tensor]] = [
        {},
        {f"{name}?": tensor},
        {name: Tensor(other, (0,), b"")},
        {name: Tensor(tensor.dtype, (*tensor.shape, 1), tensor.flat)},
        {
            name: Tensor(
                tensor.dtype, (1, tensor.shape[0] * 7 + 1), bytes(tensor.flat.itemsize * (tensor.shape[0] * 7 + 1))
            )
        },
    ]
    try:
        session.run(source.choice(wrong))
    except OnnxError:
        return
    raise AssertionError("an invalid input was accepted")


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    raise SystemExit(main())
