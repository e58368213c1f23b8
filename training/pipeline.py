"""Run all steps from training data to checked bundles in one process; each finished step is kept.

RUNS/train.json    digests of the input files, and the options
RUNS/data.csv      the dataset; RUNS/import.json is its report
RUNS/data.entities.json   the vocabulary of entities, if the files have one
RUNS/intent ...    the runs, with their reports; RUNS/index.html lists them
RUNS-previous      the last runs with other data or options, with which --force compares the new ones
BUNDLES/intent ... the bundles
"""

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
from handler.unsure import LANGUAGE
from training.choice.builtin import TRAINED, export_if_better
from training.choice.candidates import Prefer
from training.choice.folds import FEW_ROWS
from training.dataset import TRAIN, read_dataset, test_or_all
from training.digest import file_digest
from training.errors import DatasetError, TrainingError
from training.evaluation.evaluate import compare_with_replaced
from training.evaluation.index import write_index
from training.imports.importing import SPREAD, import_files
from training.imports.options import ImportOptions
from training.imports.report import Report
from training.imports.vocabulary import entities_of
from training.next_step import int8_advice

if TYPE_CHECKING:
    import pandas as pd

KEY, DATA, REPORT = "train.json", "data.csv", "import.json"
SHARES = {"intent": 0.45, "slots": 0.4, "language": 0.15}
"""Each model's share of the training time."""
TRAINING_SHARE = 0.8
"""Share of the time budget for training; import, export and check use the rest."""
PROVING_ROWS = 300


@dataclass(frozen=True)
class Pipeline:
    """One call of `ludwig-serverless train`.

    Attributes:
        files: Training data files.
        bundles: Folder of the bundles.
        runs: Folder of the dataset, the runs and the reports.
        data: How to read the files.
        prefer: Which candidates to try.
        budget_minutes: Time limit for all steps together, in minutes.
        confidence_threshold: Target accuracy of the intents above the fitted confidence threshold.
        out_of_scope: Label of rows that the bot cannot answer.
        quotes: Whether to print the rows that the import dropped, corrected or found doubtful.
    """

    files: Sequence[Path]
    bundles: Path
    runs: Path
    data: ImportOptions
    prefer: Prefer = "balanced"
    budget_minutes: float = 10.0
    confidence_threshold: float = 0.9
    out_of_scope: str | None = None
    quotes: bool = True

    @property
    def previous(self) -> Path:
        """Folder that keeps the last runs with other data or options, with which the new ones are compared."""
        return self.runs.with_name(f"{self.runs.name}-previous")

    def run(self, *, force: bool = False) -> None:
        """Run every step that is not finished yet, and print the next command.

        Args:
            force: Whether to move away the runs of a training with other data or options, and to replace the bundles.

        Raises:
            DatasetError: The files contain nothing to learn.
            TrainingError: The folders contain something else, or a training fails.
        """
        self._claim(force=force)
        dataset = self._imported()
        names = _trainable(dataset)
        if not names:
            raise DatasetError(
                f"{self.runs / DATA} contains nothing to learn: expected two or more intents, two or more languages, "
                f"or slots. {self.runs / REPORT} lists what the import skipped."
            )
        for number, name in enumerate(names, start=1):
            self._trained(name, dataset, names, f"{number} of {len(names)}")
        for name in names:
            self._exported(name, dataset)
        self._check()
        self._tell_next(names)

    def _claim(self, *, force: bool) -> None:
        """Reserve the folder of the runs for this training; raise an error if it belongs to another one."""
        key, path = self._key(), self.runs / KEY
        if path.is_file() and path.read_text(encoding="utf-8") != key:
            if not force:
                raise TrainingError(
                    f"{self.runs} contains a training with other data or options: to resume it, use the same data and "
                    "options; otherwise choose another --output, or replace it with --force."
                )
            say(f"Moving the runs of the training with other data or options to {self.previous}.")
            shutil.rmtree(self.previous, ignore_errors=True)
            self.runs.rename(self.previous)
        elif self.runs.exists() and not path.is_file() and any(self.runs.iterdir()):
            raise TrainingError(
                f"{self.runs} exists and was not written by `ludwig-serverless train`: choose another --runs."
            )
        if not path.is_file():
            for bundle in self.bundles.glob("*") if self.bundles.is_dir() and not force else ():
                raise TrainingError(f"{bundle} already exists: choose another --output, or replace it with --force.")
            self.runs.mkdir(parents=True, exist_ok=True)
            path.write_text(key, encoding="utf-8")

    def _key(self) -> str:
        """Return everything that determines the result, as JSON."""
        paths = [*self.files, *self.data.validation, *self.data.test]
        try:
            digests = [file_digest(path) for path in paths]
        except OSError as error:
            raise DatasetError(f"{error.filename} cannot be read: {error.strerror}.") from None
        data = asdict(self.data) | {"validation": len(self.data.validation), "test": len(self.data.test)}
        chosen = [self.prefer, self.confidence_threshold, self.out_of_scope]
        return json.dumps({"files": digests, "data": data, "chosen": chosen}, indent=1, default=sorted, sort_keys=True)

    def _imported(self) -> "pd.DataFrame":
        """Return the dataset; import it if it does not exist yet."""
        output = self.runs / DATA
        if output.is_file():
            say(f"Already done: {output}.")
        else:
            report = self._import(output)
            report.tell(quotes=self.quotes)
            report.write(self.runs / REPORT)
        return read_dataset({TRAIN: output})

    def _import(self, output: Path) -> Report:
        """Import the files; use all rows for training if they are few and the user did not ask for a split."""
        report = import_files(self.files, output, self.data)
        has_default_split = self.data.split == "" and report.splits.get("origin") == SPREAD
        if has_default_split and report.kept < FEW_ROWS:
            report = import_files(self.files, output, replace(self.data, split=None))
        return report

    def _trained(self, name: str, dataset: "pd.DataFrame", names: Sequence[str], progress: str) -> None:
        """Train a model, unless its run exists."""
        from training.choice.choose import ChoiceOptions, choose_and_fit
        from training.evaluation.thresholds import KEPT, ThresholdOptions

        run = self.runs / name
        if (run / TRAINING_RECORD).is_file():
            say(f"Already done: {run}.")
            return
        say(f"--- {name} ({progress}) ---")
        share = SHARES[name] / sum(SHARES[each] for each in names)
        options = ChoiceOptions(
            prefer=self.prefer,
            budget_minutes=self.budget_minutes * TRAINING_SHARE * share,
            calibrate=True,
            thresholds=ThresholdOptions(self.confidence_threshold, self.out_of_scope, kept=KEPT)
            if name == "intent"
            else None,
            seed=self.data.seed,
        )
        choose_and_fit(name, dataset, run, options, entities=entities_of(self.runs / DATA))
        compare_with_replaced(run, self.previous / name)

    def _exported(self, name: str, dataset: "pd.DataFrame") -> None:
        """Export and prove a model, unless its bundle exists; print the certificate."""
        from export.build import export_model
        from export.certificate import certificate
        from export.model import load_model

        run, bundle = self.runs / name, self.bundles / name
        manifest, rows = bundle_of(run, bundle), _proving_rows(dataset, self.data.seed)
        if manifest is not None:
            say(f"Already done: {bundle}.")
        elif name == LANGUAGE:
            manifest = export_if_better(dataset, run, bundle, rows)
        if manifest is None:
            manifest = export_model(load_model(run), bundle, dataset=rows, force=True)
        print(certificate(manifest), flush=True)

    def _check(self) -> None:
        """Replay the golden rows of all bundles through the handler.

        Raises:
            BundleError: An answer differs from Ludwig's.
        """
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
                f"{len(result['changed'])} of {result['checked']} answers differ from Ludwig's: do not deploy the "
                f"bundles. To see the differences, run `ludwig-serverless check {self.bundles}`."
            )
        say(f"Checked: the handler gives Ludwig's answers to all {result['checked']} golden rows.")

    def _tell_next(self, names: Sequence[str]) -> None:
        for name in names:
            say(f"Report: {self.runs / name / 'evaluation' / 'report.html'}")
        say(f"All runs: {write_index(self.runs)}")
        say(f"Bundles: {', '.join(str(self.bundles / name) for name in names)}. Next:")
        say(f"  ludwig-serverless ask {self.bundles} 'some text'")
        say(f"  ludwig-serverless serve {self.bundles} --open     (and Hexabot at http://127.0.0.1:8000)")
        say("To deploy them on AWS Lambda, see docs/deploy.md.")
        for name in names:
            if advice := int8_advice(self.runs / name, self.bundles / name, self.runs / DATA):
                say(advice)


def _trainable(dataset: "pd.DataFrame") -> list[str]:
    """Return the columns to train models for: labels with at least two values, and slots if any value is marked."""
    labels = [name for name in ("intent", "language") if _labels(dataset, name) > 1]
    has_slots = "slots" in dataset and dataset["slots"].fillna("").astype(str).str.contains("B-").any()
    return labels + (["slots"] if has_slots else [])


def _labels(dataset: "pd.DataFrame", name: str) -> int:
    return len(set(dataset[name].dropna()) - {""}) if name in dataset else 0


def _proving_rows(dataset: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """Return up to 300 rows to prove bundles on: test rows if there are any, else any rows."""
    rows = test_or_all(dataset)
    return rows.sample(min(len(rows), PROVING_ROWS), random_state=seed).reset_index(drop=True)


def bundle_of(run: Path, bundle: Path) -> Manifest | None:
    """Return the manifest of a bundle if it was exported from a run, else None."""
    if not is_bundle(bundle):
        return None
    try:
        manifest = read_bundle(bundle)
    except BundleError as error:
        say(f"{error} Exporting it again.")
        return None
    record = json.loads((run / TRAINING_RECORD).read_text(encoding="utf-8"))
    made_of = manifest.provenance.training or {}
    return manifest if record in (made_of, made_of.get(TRAINED)) else None
