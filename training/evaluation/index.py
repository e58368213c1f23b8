"""The index of a folder of runs and searches: one page that lists their scores and links to their reports."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.console import say
from export.model import TRAINING_RECORD
from training.errors import EvaluationError, TrainingError
from training.evaluation.compared import COMPARED, HEADLINE
from training.evaluation.evaluate import FOLDER, METRICS, read_evaluation
from training.evaluation.metrics import Metrics
from training.evaluation.report import REPORT, rendered
from training.search.results import REPORT as SEARCH_REPORT
from training.search.results import TRIALS, read_results

INDEX = "index.html"
TEMPLATE = Path(__file__).with_name("index.html.jinja")


def write_index(folder: Path) -> Path:
    """Write a page that lists the runs and the searches in a folder, the newest first.

    Args:
        folder: A folder of runs and searches. Other folders in it are ignored; a run whose evaluation cannot be read,
            or a search whose trials cannot, is reported and left out.

    Returns:
        Path of the page.
    """
    runs = []
    for path in folder.glob(f"*/{FOLDER}/{METRICS}"):
        try:
            runs.append((path.stat().st_mtime, read_run(path.parent.parent)))
        except EvaluationError as error:
            say(f"{path.parent.parent.name} is not in the index: {error}")
    rows = [row for _, row in sorted(runs, key=lambda run: -run[0])]
    page = rendered(TEMPLATE, folder=folder.resolve().name, runs=rows, searches=_searches(folder))
    (folder / INDEX).write_text(page, encoding="utf-8", errors="backslashreplace")
    return folder / INDEX


def read_run(run: Path) -> dict[str, Any]:
    """Return what a page shows of one run.

    Args:
        run: The run's folder.

    Returns:
        Its name, the path of its report from the folder of the runs, when it finished, its configuration, its rows,
        and under `outputs` the score of each output: `metric`, `score`, `change` and `baseline`.

    Raises:
        EvaluationError: The run has no evaluation, or it cannot be read.
    """
    metrics, _ = read_evaluation(run / FOLDER)
    finished = (run / FOLDER / METRICS).stat().st_mtime
    try:
        record = json.loads((run / TRAINING_RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    return {
        "name": run.name,
        "report": f"{run.name}/{FOLDER}/{REPORT}",
        "finished": datetime.fromtimestamp(finished, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
        "configuration": _configuration(record),
        "rows": record.get("rows", ""),
        "measured": metrics["rows"],
        "source": metrics["source"].partition(",")[0],
        "outputs": {name: _score(name, found, metrics) for name, found in metrics["outputs"].items()},
    }


def _searches(folder: Path) -> list[dict[str, Any]]:
    """Return what the page shows of each search."""
    found = []
    for path in sorted(folder.glob(f"*/{TRIALS}"), key=lambda path: -path.stat().st_mtime):
        try:
            results = read_results(path.parent)
        except TrainingError as error:
            say(f"{path.parent.name} is not in the index: {error}")
            continue
        if results is not None:
            page = f"{path.parent.name}/{SEARCH_REPORT}"
            found.append({"name": path.parent.name, "report": page, "results": results})
    return found


def _configuration(record: dict[str, Any]) -> str:
    """Return the name of the chosen configuration, or the types of the encoders."""
    if "choice" in record:
        return str(record["choice"]["winner"])
    features = record.get("config", {}).get("input_features", [])
    return ", ".join(str((feature.get("encoder") or {}).get("type", feature.get("type"))) for feature in features)


def _score(name: str, found: Metrics, metrics: Metrics) -> dict[str, Any]:
    metric = HEADLINE[found["type"]]
    compared = metrics.get(COMPARED, {"outputs": {}})["outputs"].get(name)
    return {
        "metric": metric,
        "score": found[metric],
        "change": compared["now"] - compared["before"] if compared else None,
        "baseline": found["baseline"]["accuracy"] if "baseline" in found else None,
    }
