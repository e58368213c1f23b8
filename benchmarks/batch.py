"""Measure a batch of 256 rows: `LudwigModel.predict` and the bundle's predictor, with the same number of threads.

One process runs both in turn, so that their ratio holds on a busy machine. The rows are the demo's, and the models the
shipped ones and a transformer.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import parser, publish, ratios, say, spread, table

PART = "batch"
ROWS = 256
THREADS = (1, 2)
RUNS, BUNDLES = Path("build/shipped/runs"), Path("build/shipped/bundles")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    made = parser(PART, __doc__, rounds=(7, "rounds of each pair"))
    made.add_argument(
        "pairs",
        nargs="*",
        type=Path,
        metavar="RUN BUNDLE",
        help="models and bundles (default: the shipped ones and MiniLM)",
    )
    options = made.parse_args(arguments)
    given = zip(options.pairs[::2], options.pairs[1::2], strict=True)
    pairs = {bundle.name: (run, bundle) for run, bundle in given} or default_pairs()
    rows = [row for name, (run, bundle) in pairs.items() for row in measured(name, run, bundle, options.rounds)]
    publish(
        options,
        PART,
        [
            f"Milliseconds for {ROWS} rows, and the ratio of the bundle's time to Ludwig's in each round:",
            "",
            *table(["", "Ludwig", "bundle", "ratio: minimum", "median", "maximum"], rows),
        ],
    )
    return 0


def default_pairs() -> dict[str, tuple[Path, Path]]:
    """Return models and their bundles by name, after creating the missing ones."""
    from benchmarks.sandbox import MINILM_RUN, minilm_bundle
    from scripts import shipped_models

    if shipped_models.main([]):
        raise SystemExit("error: cannot create the shipped models")
    shipped = {name: (RUNS / name, BUNDLES / name) for name in shipped_models.MODELS}
    return {**shipped, "MiniLM": (MINILM_RUN, minilm_bundle() / "intent")}


def measured(name: str, run: Path, bundle: Path, rounds: int) -> list[list[str]]:
    """Measure a model and its bundle with each number of threads.

    Args:
        name: The name of both in the table.
        run: The run of the model.
        bundle: The bundle of the same model.
        rounds: Number of measured rounds.

    Returns:
        A table row for each number of threads.
    """
    import pandas as pd
    import torch

    from export.ludwig_library import on_cpu
    from export.model import load_model
    from handler.predictor import Predictor
    from scripts.shipped_models import test_rows

    model = load_model(run).ludwig_model
    texts = test_rows()["text"].tolist()
    texts = (texts * (ROWS // len(texts) + 1))[:ROWS]
    rows = []
    for threads in THREADS:
        say(f"{name}: {threads} threads ...")
        torch.set_num_threads(threads)
        predictor = Predictor(bundle, threads)
        columns = [feature.column for feature in predictor.manifest.inputs]
        table_of_texts = pd.DataFrame(dict.fromkeys(columns, texts))
        dictionaries = table_of_texts.to_dict("records")

        def by_ludwig(frame: Any = table_of_texts) -> None:
            with on_cpu():
                model.predict(dataset=frame, batch_size=ROWS, skip_save_predictions=True)

        def by_bundle(asked: Predictor = predictor, records: Any = dictionaries) -> None:
            asked.predict(records)

        ours: list[float] = []
        theirs: list[float] = []
        for number in range(-1, rounds):
            took = milliseconds(by_ludwig), milliseconds(by_bundle)
            if number >= 0:
                theirs.append(took[0])
                ours.append(took[1])
        label = f"{name}, {threads} thread{'s' * (threads > 1)}"
        rows.append([label, spread(theirs, 1), spread(ours, 1), *ratios(ours, theirs)])
    return rows


def milliseconds(run: Callable[[], None]) -> float:
    """Return the duration of a call, in milliseconds."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
