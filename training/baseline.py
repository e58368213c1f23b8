"""A baseline for models that predict labels: TF-IDF with a linear SVM, fitted in seconds.

Its features are words, word pairs and character n-grams (2 to 5 characters within a word), weighted by TF-IDF. It needs
no tuning and works with few rows. A network that is worse than this has not learned what the rows can teach, and the
run prints a warning.
"""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from export.features import column_of
from training.config import Config, text_column

if TYPE_CHECKING:
    import pandas as pd

NAME = "TF-IDF + linear SVM"
MOST_ROWS = 12_000
"""Larger datasets are sampled, so that the fit takes seconds."""
HARDLY_BETTER = 0.2
"""Minimum of (accuracy - chance) / (1 - chance), or of F1 for slots, for a model that has learned anything."""
WORD, WORD_PAIRS = r"\w+|[^\w\s]", (1, 2)
PIECES = (2, 5)
TOLERANCE = 0.1
"""Tolerance of the SVM's solver; smaller ones take three times as long for the same answers."""


def labels_of(config: Config) -> list[str]:
    """Return the outputs that a baseline can be fitted for: labels of a text.

    Args:
        config: A configuration with Ludwig's defaults filled in.

    Returns:
        The names of the category outputs; empty if the first input is not a text.
    """
    if config["input_features"][0]["type"] not in ("text", "sequence"):
        return []
    return [feature["name"] for feature in config["output_features"] if feature["type"] == "category"]


def baseline_answers(
    config: Config, name: str, train: "pd.DataFrame", rows: "pd.DataFrame", seed: int = 42
) -> list[str]:
    """Fit the baseline of an output on training rows, and predict the labels of other rows.

    Args:
        config: A configuration with Ludwig's defaults filled in.
        name: Name of the output, a category.
        train: The training rows.
        rows: The rows to answer.
        seed: Seed of the sample that is taken from large datasets.

    Returns:
        A label for each row.
    """
    column = next(column_of(feature) for feature in config["output_features"] if feature["name"] == name)
    text = text_column(config)
    if len(train) > MOST_ROWS:
        train = train.sample(MOST_ROWS, random_state=seed)
    return answers_of_svm(_texts(train, text), train[column].astype(str).tolist(), _texts(rows, text))


def answers_of_svm(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Fit TF-IDF and a linear SVM on labeled texts, and predict the labels of other texts.

    Args:
        texts: The training texts.
        labels: The label of each training text.
        asked: The texts to answer.

    Returns:
        A label for each text of `asked`. If the training texts contain no features, it is the most frequent label.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    if len(set(labels)) < 2:
        return [labels[0]] * len(asked)
    features = make_union(
        # Unlike scikit-learn's default pattern, this one keeps single letters, digits and punctuation.
        TfidfVectorizer(ngram_range=WORD_PAIRS, token_pattern=WORD, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES, sublinear_tf=True),
    )
    classifier = make_pipeline(features, LinearSVC(tol=TOLERANCE, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            classifier.fit(texts, labels)
        except ValueError:  # no text contains a feature
            return [Counter(labels).most_common(1)[0][0]] * len(asked)
    return [str(label) for label in classifier.predict(asked)]


def compare(expected: Sequence[str], model: Sequence[str], baseline: Sequence[str]) -> dict[str, Any]:
    """Compare a model's answers with the baseline's, on rows that neither was fitted on.

    Args:
        expected: The expected label of each row.
        model: The model's answers.
        baseline: The baseline's answers.

    Returns:
        `name` of the baseline; number of `rows`; `accuracy` of the baseline and of the `model`; `chance`, the accuracy
        of always answering the most frequent label; and `verdict`: "chance" if the model is hardly better than chance
        and worse than the baseline, "nothing" if it is hardly better than chance and so is the baseline, "below" if it
        is significantly worse than the baseline, else "fine".
    """
    rows = len(expected)
    right_model = [one == other for one, other in zip(expected, model, strict=True)]
    right_baseline = [one == other for one, other in zip(expected, baseline, strict=True)]
    accuracy, reached = sum(right_model) / rows, sum(right_baseline) / rows
    chance = max(Counter(expected).values()) / rows
    # McNemar's test on the rows that exactly one of the two got right: below by more than one standard deviation.
    lost = sum(theirs and not ours for ours, theirs in zip(right_model, right_baseline, strict=True))
    won = sum(ours and not theirs for ours, theirs in zip(right_model, right_baseline, strict=True))
    verdict = "fine"
    if lost - won > math.sqrt(lost + won):
        verdict = "below"
    if chance < 1 and (accuracy - chance) / (1 - chance) < HARDLY_BETTER:
        verdict = "chance" if reached > accuracy else "nothing"
    return {
        "name": NAME,
        "rows": rows,
        "accuracy": reached,
        "model": accuracy,
        "chance": chance,
        "verdict": verdict,
    }


def warning(name: str, found: dict[str, Any]) -> str | None:
    """Return a warning about a model that has not learned enough, with advice; None if it has.

    Args:
        name: Name of the output.
        found: The result of `compare`.
    """
    others = f"{found['name']} {found['accuracy']:.1%}, chance {found['chance']:.1%}"
    figures = f"{name}: accuracy {found['model']:.1%}, {others}"
    if found["verdict"] == "chance":
        return (
            f"WARNING: THIS MODEL HAS HARDLY LEARNED ANYTHING ({figures}). Do not serve it. Train without --config, "
            "which chooses the model and the number of epochs for your rows, or increase --epochs."
        )
    if found["verdict"] == "nothing":
        return (
            f"WARNING: NEITHER THIS MODEL NOR A SIMPLER METHOD IS CLEARLY BETTER THAN CHANCE ({figures}). Do not "
            "serve it. Check the labels of the mistakes in the report, merge labels that mean the same, and add "
            "examples."
        )
    if found["verdict"] == "below":
        return (
            f"WARNING: A SIMPLER METHOD IS BETTER THAN THIS MODEL ({figures}). Train without --config, which tries "
            "several models; increase --epochs; or add examples for the labels with low recall (see the report)."
        )
    return None


def warning_about_slots(name: str, f1: float) -> str | None:
    """Return a warning about a model that finds hardly any slots, with advice; None if it does.

    Args:
        name: Name of the output.
        f1: F1 of whole slots, from 0 to 1, on rows that have some.
    """
    if f1 >= HARDLY_BETTER:
        return None
    return (
        f"WARNING: THIS MODEL HAS HARDLY LEARNED ANYTHING ({name}: F1 of whole slots {f1:.1%}). Do not serve it. Train "
        "without --config, which chooses the model and the number of epochs for your rows; increase --epochs; or add "
        "examples with different values."
    )


def _texts(rows: "pd.DataFrame", column: str) -> list[str]:
    return [value if isinstance(value, str) else "" for value in rows[column]]
