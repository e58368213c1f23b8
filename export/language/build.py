"""Build a proven bundle that identifies which of a bot's languages a text is in, without training."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from export.build import UNPROVEN, check_target, move_into_place, seal, temporary_folder
from export.certificate import explain_failure
from export.edge_cases import values_to_try
from export.errors import ExportError, ParityError
from export.language import reference
from export.language.ftz import FastTextModel, read_ftz
from export.language.graph import write_graph
from export.language.reference import Source
from export.parity import Proof, Row, compare
from export.rows import readable_rows
from export.thresholds import CAUTIOUS_EVIDENCE, CAUTIOUS_THRESHOLDS
from handler import __version__
from handler.bundle import MANIFEST, SCHEMA_VERSION, Manifest, Provenance, describe_file, read_bundle
from handler.certificate import GOLDEN_ROWS
from handler.evidence import Evidence
from handler.fasttext import FastTextInput, read_text
from handler.outputs import CategoryOutput
from handler.predictor import Predictor
from handler.tensor import Tensor
from handler.thresholds import Thresholds
from handler.unsure import LANGUAGE

if TYPE_CHECKING:
    import pandas as pd

TEXT, VOCABULARY = "text", "text.fasttext.json"
SCRIPTS = {
    "ARABIC": "ar arz azb ckb fa pnb ps sd ug ur yi",
    "ARMENIAN": "hy",
    "BENGALI": "as bn bpy",
    "CJK": "ja wuu yue zh",
    "CYRILLIC": "ba be bg ce cv kk krc kv ky mhr mk mn mrj myv os ru rue sah sr tg tt tyv uk xal",
    "DEVANAGARI": "bh dty gom hi mai mr ne sa",
    "GEORGIAN": "ka xmf",
    "GREEK": "el",
    "GUJARATI": "gu",
    "HANGUL": "ko",
    "HEBREW": "he yi",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
"""The languages of each script, by the script's name in Unicode. All other languages use Latin letters."""
ALSO_LATIN = "az ku sh sr uz"
"""Languages of these scripts that are also written in Latin letters."""


class Rule(NamedTuple):
    """When the model counts as sure of a language: the thresholds, and the evidence that a text must contain."""

    thresholds: Thresholds
    evidence: Evidence


def build_language(
    source: Source,
    languages: Sequence[str],
    bundle: Path,
    *,
    dataset: "pd.DataFrame | None" = None,
    rule: Rule | None = None,
    golden: int = GOLDEN_ROWS,
    force: bool = False,
    training: dict[str, Any] | None = None,
) -> Manifest:
    """Build a bundle from a fastText model, limited to the languages of a bot.

    Args:
        source: The model.
        languages: At least two of the model's labels, such as `en`.
        bundle: The folder to write. It stays unchanged if a step fails.
        dataset: The user's own rows for the proof, with a column `text`.
        rule: When the model counts as sure; a cautious rule by default.
        golden: Number of the user's own rows to store in the bundle.
        force: Whether to replace an existing bundle.
        training: How the model was chosen, for the manifest.

    Returns:
        The manifest, read back from the finished bundle.

    Raises:
        ExportError: The model does not know a language, or the folder must not be replaced.
        ParityError: The bundle's answers differ from fastText's.
    """
    model = read_ftz(source.path)
    check_languages(model, languages)
    check_target(bundle, force=force)
    rule = rule or cautious_rule(languages)
    with temporary_folder(bundle) as folder:
        draft = _write(model, source, languages, folder, rule, training)
        proof = prove(model, source.path, folder, rows_to_try(draft, model, dataset))
        if not proof.parity.passed:
            raise ParityError(explain_failure(draft.name, *proof))
        seal(draft, proof, folder, golden)
        move_into_place(folder, bundle, force=force)
    return read_bundle(bundle)


def check_languages(model: FastTextModel, languages: Sequence[str]) -> None:
    """Check that a model can distinguish some languages.

    Args:
        model: The model.
        languages: The languages of the bot.

    Raises:
        ExportError: The model does not know a language, or there are fewer than two different languages.
    """
    for language in languages:
        if language not in model.labels:
            close = get_close_matches(language, model.labels, n=3) or sorted(model.labels)[:8]
            raise ExportError(
                f"The language model does not know {language!r}: give ISO 639 codes, such as {', '.join(close)}."
            )
    if len(set(languages)) < 2 or len(set(languages)) < len(languages):
        raise ExportError("Give two or more different languages: a bot with one language needs no language model.")


def cautious_rule(languages: Sequence[str]) -> Rule:
    """Return the rule for languages without labeled rows: enough letters in their scripts, and a confident answer.

    Args:
        languages: The languages of the bot.

    Returns:
        The rule.
    """
    scripts: dict[str, list[str]] = {}
    for language in languages:
        written = [script for script, users in SCRIPTS.items() if language in users.split()]
        if not written or language in ALSO_LATIN.split():
            written.append("LATIN")
        for script in written:
            scripts.setdefault(script, []).append(language)
    return Rule(CAUTIOUS_THRESHOLDS, msgspec.structs.replace(CAUTIOUS_EVIDENCE, scripts=scripts))


def prove(model: FastTextModel, path: Path, folder: Path, rows: Sequence[Row]) -> Proof:
    """Compare a bundle with fastText, on the part of each text that the bundle reads.

    Args:
        model: The model, for the expected token ids.
        path: Its file, which fastText loads.
        folder: The bundle's folder.
        rows: The rows.

    Returns:
        The proof that the answers are exact.

    Raises:
        ParityError: The bundle fails on a row.
    """
    predictor = Predictor(folder)
    (feature,), (output,) = predictor.manifest.inputs, predictor.manifest.outputs
    if not isinstance(feature, FastTextInput) or not isinstance(output, CategoryOutput):
        raise TypeError(f"{folder} is not a bundle of a language model")
    texts = [read_text(row.values[feature.column], feature) for row in rows]
    probabilities = reference.ask(path, texts, output.labels)
    labels, columns = Tensor.of("int64", probabilities.argmax(axis=1)), len(output.labels)
    tensors = (labels, Tensor.of("float64", probabilities.tolist(), columns))
    expected = output.rows(dict(zip(output.tensors, tensors, strict=True)))
    ids = reference.expected_ids(model, texts)
    longest, padding = max(map(len, ids)), len(model.norms)
    padded = [np.array([*row, *[padding] * (longest - len(row))], dtype=np.int32) for row in ids]
    return compare(predictor, rows, {feature.name: padded}, list(expected), "fastText")


def rows_to_try(manifest: Manifest, model: FastTextModel, dataset: "pd.DataFrame | None") -> list[Row]:
    """Return the rows of the proof: edge cases, and then the user's own rows.

    Args:
        manifest: The manifest of the bundle.
        model: The model. Some edge cases consist of its words.
        dataset: The user's own rows, or None.

    Returns:
        The rows.

    Raises:
        ExportError: The dataset has no column of texts.
    """
    (feature,) = manifest.inputs
    tried = values_to_try(feature, model.words)
    rows = [Row(name, {feature.column: value}, odd=True) for name, value in tried.items()]
    if dataset is None:
        return rows
    dataset = readable_rows(dataset, [{"name": feature.column, "type": "text"}])
    if feature.column not in dataset:
        raise ExportError(f"The dataset has the columns {list(dataset.columns)}: expected {feature.column!r}.")
    texts = [value if isinstance(value, str) else None for value in dataset[feature.column]]
    return rows + [Row(f"row {number}", {feature.column: text}, odd=False) for number, text in enumerate(texts)]


def _write(
    model: FastTextModel,
    source: Source,
    languages: Sequence[str],
    folder: Path,
    rule: Rule,
    training: dict[str, Any] | None,
) -> Manifest:
    """Write the bundle's files and its manifest, without a proof."""
    (folder / VOCABULARY).write_bytes(msgspec.json.encode({"words": model.words, "buckets": model.buckets}))
    graph = write_graph(model, languages, folder, text=TEXT, output=LANGUAGE)
    feature = FastTextInput(
        name=TEXT,
        column=TEXT,
        file=VOCABULARY,
        shortest=model.shortest,
        longest=model.longest,
        buckets=model.bucket_count,
    )
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=LANGUAGE,
        graph=graph,
        inputs=[feature],
        outputs=[
            CategoryOutput(name=LANGUAGE, labels=list(languages), thresholds=rule.thresholds, evidence=rule.evidence)
        ],
        files={path.name: describe_file(path) for path in sorted(folder.iterdir())},
        provenance=Provenance(
            ludwig_version="none",
            model_sha256=hashlib.sha256(source.path.read_bytes()).hexdigest(),
            exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
            exporter_version=__version__,
            license=source.license,
            training=training,
            source=f"{source.origin}; limited to {', '.join(languages)}, and written as an ONNX graph",
        ),
        parity=UNPROVEN,
    )
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest
