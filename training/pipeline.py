"""All steps from training data to checked bundles, in one process; each finished step is kept.

RUNS/train.json    what is trained: digests of the files, and the options
RUNS/data.csv      the dataset; RUNS/import.json its report
RUNS/intent ...    the runs, with their reports
BUNDLES/intent ... the bundles
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.model import TRAINING_RECORD
from handler.bundle import Manifest, is_bundle, read_bundle
from handler.errors import BundleError
from training.choice.candidates import Prefer
from training.choice.folds import FEW_ROWS
from training.config import SPLIT
from training.dataset import TEST, TRAIN, read_dataset
from training.errors import DatasetError, TrainingError
from training.imports.importing import SPREAD, import_files
from training.imports.options import ImportOptions
from training.imports.report import Report

if TYPE_CHECKING:
    import pandas as pd

KEY, DATA, REPORT = "train.json", "data.csv", "import.json"
SHARES = {"intent": 0.45, "slots": 0.4, "language": 0.15}
"""Of the time for training, by model."""
TRAINING_SHARE = 0.8
"""Of the budget; import, export and check have the rest."""
PROVING_ROWS = 300


@dataclass(frozen=True)
class Pipeline:
    """One `ludwig-serverless train`.

    Attributes:
        files: Training data.
        bundles: The folder of the bundles.
        runs: The folder of everything else.
        data: How the files are read.
        prefer: Which candidates are tried.
        budget_minutes: For everything.
        confidence_threshold: How often answers to intents should be right, of those that are given.
        out_of_scope: The intent of rows that the bot cannot answer.
    """

    files: Sequence[Path]
    bundles: Path
    runs: Path
    data: ImportOptions
    prefer: Prefer = "balanced"
    budget_minutes: float = 10.0
    confidence_threshold: float = 0.9
    out_of_scope: str | None = None

    def run(self, *, force: bool = False) -> None:
        """Do every step that is not done yet, and say what to do next.

        Args:
            force: Throw away what a training of other data left, and replace the bundles.

        Raises:
            DatasetError: If the files hold nothing to learn.
            TrainingError: If the folders are taken by something else, or a training fails.
        """
        self._claim(force=force)
        dataset = self._imported()
        names = _trainable(dataset)
        if not names:
            raise DatasetError(
                f"{self.runs / DATA} has no two intents, no two languages and no slots: there is nothing to learn. "
                f"{self.runs / REPORT} says what was left out."
            )
        for number, name in enumerate(names, start=1):
            self._trained(name, dataset, names, f"{number} of {len(names)}")
        for name in names:
            self._exported(name, dataset)
        self._check()
        self._tell_next(names)

    def _claim(self, *, force: bool) -> None:
        """Make sure that the folder of the runs is for the same training."""
        key, path = self._key(), self.runs / KEY
        if path.is_file() and path.read_text(encoding="utf-8") != key:
            if not force:
                raise TrainingError(
                    f"{self.runs} holds a training of other data or with other options: give what it had to resume it, "
                    "another --output, or --force to replace it."
                )
            say(f"Throwing away the training of other data in {self.runs}.")
            shutil.rmtree(self.runs)
        elif self.runs.exists() and not path.is_file() and any(self.runs.iterdir()):
            raise TrainingError(f"{self.runs} exists and is not of `ludwig-serverless train`: give another --runs.")
        if not path.is_file():
            for bundle in self.bundles.glob("*") if self.bundles.is_dir() and not force else ():
                raise TrainingError(f"{bundle} exists: give another --output, or --force to replace bundles there.")
            self.runs.mkdir(parents=True, exist_ok=True)
            path.write_text(key, encoding="utf-8")

    def _key(self) -> str:
        """Return everything that decides what comes out, as JSON."""
        paths = [*self.files, *self.data.validation, *self.data.test]
        try:
            digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        except OSError as error:
            raise DatasetError(f"{error.filename} cannot be read: {error.strerror}.") from None
        data = asdict(self.data) | {"validation": len(self.data.validation), "test": len(self.data.test)}
        chosen = [self.prefer, self.confidence_threshold, self.out_of_scope]
        return json.dumps({"files": digests, "data": data, "chosen": chosen}, indent=1, default=sorted, sort_keys=True)

    def _imported(self) -> "pd.DataFrame":
        """Return the dataset, which is written unless it is there."""
        output = self.runs / DATA
        if output.is_file():
            say(f"Kept: {output}.")
        else:
            report = self._import(output)
            report.tell()
            report.write(self.runs / REPORT)
        return read_dataset({TRAIN: output})

    def _import(self, output: Path) -> Report:
        """Import the files. Where rows are few and nobody asked for a split, all of them are for training."""
        report = import_files(self.files, output, self.data)
        is_ours = self.data.split == "" and report.splits.get("origin") == SPREAD
        if is_ours and report.kept < FEW_ROWS:
            report = import_files(self.files, output, replace(self.data, split=None))
        return report

    def _trained(self, name: str, dataset: "pd.DataFrame", names: Sequence[str], place: str) -> None:
        """Train a model, unless its run is there."""
        from training.choice.choose import ChoiceOptions, choose_and_fit
        from training.evaluation.thresholds import ThresholdOptions

        run = self.runs / name
        if (run / TRAINING_RECORD).is_file():
            say(f"Kept: {run}.")
            return
        say(f"--- {name} ({place}) ---")
        share = SHARES[name] / sum(SHARES[each] for each in names)
        options = ChoiceOptions(
            prefer=self.prefer,
            budget_minutes=self.budget_minutes * TRAINING_SHARE * share,
            calibrate=True,
            thresholds=ThresholdOptions(self.confidence_threshold, self.out_of_scope) if name == "intent" else None,
            seed=self.data.seed,
        )
        choose_and_fit(name, dataset, run, options)

    def _exported(self, name: str, dataset: "pd.DataFrame") -> None:
        """Export and prove a model, unless its bundle is there; print the certificate."""
        from export.build import export_model
        from export.certificate import certificate
        from export.model import load_model

        run, bundle = self.runs / name, self.bundles / name
        manifest = _existing(bundle, run)
        if manifest is None:
            rows = _proving_rows(dataset, self.data.seed)
            manifest = export_model(load_model(run), bundle, dataset=rows, force=True)
        else:
            say(f"Kept: {bundle}.")
        print(certificate(manifest), flush=True)

    def _check(self) -> None:
        """Ask the bundles their golden rows, as the handler serves them."""
        from handler.golden import replay
        from handler.hexabot import load_service
        from handler.logs import configure
        from handler.serve_command import environ
        from handler.settings import Settings

        settings = Settings.from_env(environ([str(self.bundles)], is_open=True))
        configure(settings.log_level, sys.stderr)
        result = replay(load_service(settings).predictors)
        if result["changed"] or result["unproven"]:
            raise BundleError(
                f"{len(result['changed'])} of {result['checked']} rows are answered otherwise than Ludwig did: run "
                f"`ludwig-serverless check {self.bundles}` to see them, and do not deploy the bundles."
            )
        say(f"Checked: the handler answers {result['checked']} rows as Ludwig did.")

    def _tell_next(self, names: Sequence[str]) -> None:
        for name in names:
            say(f"Report: {self.runs / name / 'evaluation' / 'report.html'}")
        say(f"Bundles: {', '.join(str(self.bundles / name) for name in names)}. Next:")
        say(f"  ludwig-serverless ask {self.bundles} 'some text'")
        say(f"  ludwig-serverless serve {self.bundles} --open     (and Hexabot at http://127.0.0.1:8000)")
        say("  docs/deploy.md puts them on AWS Lambda.")


def _trainable(dataset: "pd.DataFrame") -> list[str]:
    """Return what a dataset teaches: labels of two kinds or more, and slots if a value is marked."""
    labels = [name for name in ("intent", "language") if _labels(dataset, name) > 1]
    has_slots = "slots" in dataset and dataset["slots"].fillna("").astype(str).str.contains("B-").any()
    return labels + (["slots"] if has_slots else [])


def _labels(dataset: "pd.DataFrame", name: str) -> int:
    return len(set(dataset[name].dropna()) - {""}) if name in dataset else 0


def _proving_rows(dataset: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """Return rows to prove bundles on: those of the test, which no model saw, or any."""
    held = dataset[dataset[SPLIT].astype(str) == str(TEST)] if SPLIT in dataset else dataset.iloc[:0]
    rows = dataset if held.empty else held
    return rows.sample(min(len(rows), PROVING_ROWS), random_state=seed).reset_index(drop=True)


def _existing(bundle: Path, run: Path) -> Manifest | None:
    """Return the manifest of a bundle that was made of a run."""
    if not is_bundle(bundle):
        return None
    try:
        manifest = read_bundle(bundle)
    except BundleError as error:
        say(f"{error} It is exported again.")
        return None
    record = json.loads((run / TRAINING_RECORD).read_text(encoding="utf-8"))
    return manifest if manifest.provenance.training == record else None
