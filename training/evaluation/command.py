"""Command-line interface of `ludwig-serverless predict`, `evaluate` and `report`."""

import argparse
import json
from pathlib import Path
from typing import Any

from export.console import say
from handler.command_line import add_force
from training.errors import DatasetError, EvaluationError, TrainingError

PREDICT = """
Run a trained model on new rows and write its predictions next to them: a label with its probability, or one tag per
word.
"""
PREDICT_EXAMPLES = """
examples:
  ludwig-serverless predict runs/intent --dataset new.csv --output answers.csv
  ludwig-serverless predict runs/slots --dataset new.jsonl --output answers.jsonl

The rows need the model's input column, text (or utterance). Other columns are kept.

Next: review the least confident predictions, correct their labels, and add them to the dataset.
"""
EVALUATE = """
Evaluate a trained model on labeled rows. The output folder has the same layout as the one that `fit` writes: the
report, its plots, the metrics and every prediction.
"""
EVALUATE_EXAMPLES = """
examples:
  ludwig-serverless evaluate runs/intent --dataset last-week.csv --output evaluations/last-week

The rows need the model's input and output columns: text, and intent, language or slots. If the model has confidence
thresholds, the evaluation applies them.

Next: open evaluations/last-week/report.html in a browser.
"""
REPORT = """
Rebuild the plots and the report of a finished run or evaluation from its stored results, without loading the model.
With --against, the report also shows what became better and worse since another run, and which messages changed. For a
folder of runs and searches, write a page that lists them all.
"""
REPORT_EXAMPLES = """
examples:
  ludwig-serverless report runs/intent
  ludwig-serverless report runs/intent-2 --against runs/intent
  ludwig-serverless report evaluations/last-week
  ludwig-serverless report runs                              (writes runs/index.html)

`fit --force` makes the same comparison with the run that it replaces.

Next: open the page that the command prints in a browser.
"""


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict` to its parser."""
    parser.description, parser.epilog = PREDICT, PREDICT_EXAMPLES
    _add_model(parser)
    parser.add_argument("--dataset", required=True, type=Path, help="the rows: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument("--output", required=True, type=Path, help="where to write the predictions: .csv or .jsonl")
    add_force(parser, "overwrite the output file if it exists", "--overwrite")
    parser.set_defaults(run=_predict)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate` to its parser."""
    parser.description, parser.epilog = EVALUATE, EVALUATE_EXAMPLES
    _add_model(parser)
    parser.add_argument("--dataset", required=True, type=Path, help="labeled rows: CSV, TSV, JSON, JSONL or Parquet")
    parser.add_argument("--output", required=True, type=Path, help="a new folder, or an existing evaluation to replace")
    parser.set_defaults(run=_evaluate)


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report` to its parser."""
    parser.description, parser.epilog = REPORT, REPORT_EXAMPLES
    parser.add_argument(
        "run_folder",
        type=Path,
        metavar="RUN",
        help="a run or a search of `fit`, a folder that `evaluate` wrote, or a folder of runs and searches",
    )
    parser.add_argument("--against", type=Path, metavar="RUN", help="an earlier run or evaluation to compare with")
    parser.set_defaults(run=_report)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="RUN", help="a run of `fit`, or a folder that Ludwig wrote")
    parser.add_argument(
        "--allow-pickle", action="store_true", help="load pickled weights of an old Ludwig; only for models you trust"
    )


def _predict(options: argparse.Namespace) -> None:
    from export.model import find_model_folder
    from export.rows import read_rows
    from training.evaluation.loaded import ask

    output: Path = options.output
    if output.suffix.lower() not in (".csv", ".jsonl"):
        raise DatasetError(f"{output} has the extension {output.suffix!r}; expected .csv or .jsonl.")
    if output.exists() and not options.force:
        raise DatasetError(f"{output} already exists: choose another --output, or overwrite it with --force.")
    find_model_folder(options.model, allow_pickle=options.allow_pickle)
    rows = ask(options.model, read_rows(options.dataset), allow_pickle=options.allow_pickle)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix.lower() == ".csv":
            rows.to_csv(output, index=False)
        else:
            lines = [json.dumps(row, ensure_ascii=False) for row in rows.to_dict("records")]
            output.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise TrainingError(f"Cannot write {output}: {error.strerror or error}.") from None
    say(f"Saved {len(rows)} predictions to {output}.")


def _evaluate(options: argparse.Namespace) -> None:
    from export.model import find_model_folder
    from export.rows import read_rows
    from training.evaluation.evaluate import METRICS
    from training.evaluation.loaded import evaluate_file
    from training.evaluation.metrics import summary
    from training.evaluation.report import REPORT as PAGE

    output: Path = options.output
    if output.exists() and not (output / METRICS).is_file() and (not output.is_dir() or any(output.iterdir())):
        raise EvaluationError(f"{output} exists and is not an evaluation: choose another folder with --output.")
    find_model_folder(options.model, allow_pickle=options.allow_pickle)
    rows = read_rows(options.dataset)
    metrics = evaluate_file(options.model, rows, output, options.dataset.name, allow_pickle=options.allow_pickle)
    shown: dict[str, Any] = {name: summary(found) for name, found in metrics["outputs"].items()}
    print(json.dumps(shown, indent=1))
    say(f"Saved to {output}. Open {output / PAGE} in a browser.")


def _report(options: argparse.Namespace) -> None:
    from training.evaluation.evaluate import FOLDER, METRICS, compare_with, draw
    from training.evaluation.index import write_index
    from training.evaluation.report import REPORT as PAGE
    from training.search.report import write_search_report
    from training.search.results import TRIALS, read_results

    folder = _evaluation_in(options.run_folder)
    if (results := read_results(options.run_folder)) is not None:
        if options.against:
            raise EvaluationError(f"{folder} is a search, which cannot be compared: remove --against.")
        say(f"Wrote {write_search_report(folder, results)}.")
        return
    listed = (f"*/{FOLDER}/{METRICS}", f"*/{TRIALS}")
    if not (folder / METRICS).is_file() and any(list(options.run_folder.glob(each)) for each in listed):
        if options.against:
            raise EvaluationError(f"{folder} is a folder of runs: compare one of them, such as {folder}/NAME.")
        say(f"Wrote {write_index(folder)}.")
        return
    if options.against:
        compare_with(folder, _evaluation_in(options.against))
        say(f"Wrote {folder / PAGE}.")
    else:
        say(f"Wrote {draw(folder)}.")


def _evaluation_in(folder: Path) -> Path:
    """Return the evaluation in a run's folder, or the folder itself if it is an evaluation."""
    from training.evaluation.evaluate import FOLDER, METRICS

    return folder / FOLDER if not (folder / METRICS).is_file() and (folder / FOLDER).is_dir() else folder
