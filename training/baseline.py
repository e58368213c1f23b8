"""A yardstick for every model of labels: TF-IDF with a linear SVM, fitted beside the training in seconds.

Words and pairs of words, and pieces of words (2 to 5 characters within a word), each weighted by TF-IDF, with a linear
support vector machine on top. It needs no tuning, and does well from a few rows on. A network that does worse has not
learned what the rows can teach, and the run says so.
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
"""More rows are sampled, so that the fit takes seconds."""
HARDLY_BETTER = 0.2
"""Of the way from chance to all right, the least that a model must cover to have learned anything."""
WORD, WORD_PAIRS = r"\w+|[^\w\s]", (1, 2)
PIECES = (2, 5)
TOLERANCE = 0.1
"""Smaller ones take three times as long, for the same answers."""


def labels_of(config: Config) -> list[str]:
    """Return the outputs that a baseline can be fitted for: labels of a text.

    Args:
        config: With Ludwig's defaults filled in.

    Returns:
        The names of the categories, or none where the first input is not a text.
    """
    if config["input_features"][0]["type"] not in ("text", "sequence"):
        return []
    return [feature["name"] for feature in config["output_features"] if feature["type"] == "category"]


def baseline_answers(
    config: Config, name: str, train: "pd.DataFrame", rows: "pd.DataFrame", seed: int = 42
) -> list[str]:
    """Fit the baseline of an output on training rows, and ask it others.

    Args:
        config: With Ludwig's defaults filled in.
        name: The output, a category.
        train: The rows to learn from.
        rows: The rows to answer.
        seed: Of the sample, where the rows are many.

    Returns:
        A label for each row.
    """
    column = next(column_of(feature) for feature in config["output_features"] if feature["name"] == name)
    text = text_column(config)
    if len(train) > MOST_ROWS:
        train = train.sample(MOST_ROWS, random_state=seed)
    return answers_of_svm(_texts(train, text), train[column].astype(str).tolist(), _texts(rows, text))


def answers_of_svm(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Fit TF-IDF and a linear SVM on texts with labels, and return a label for each text that is asked."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    if len(set(labels)) < 2:
        return [labels[0]] * len(asked)
    features = make_union(
        # Every run of word characters is a word, so that single letters and digits count.
        TfidfVectorizer(ngram_range=WORD_PAIRS, token_pattern=WORD, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES, sublinear_tf=True),
    )
    classifier = make_pipeline(features, LinearSVC(tol=TOLERANCE, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            classifier.fit(texts, labels)
        except ValueError:  # no text has a single word: then the most frequent label is all that can be learned
            return [Counter(labels).most_common(1)[0][0]] * len(asked)
    return [str(label) for label in classifier.predict(asked)]


def compare(expected: Sequence[str], model: Sequence[str], baseline: Sequence[str]) -> dict[str, Any]:
    """Compare a model's answers with the baseline's, on rows that neither was fitted on.

    Args:
        expected: The right label of each row.
        model: The model's answers.
        baseline: The baseline's answers.

    Returns:
        `name`, `rows`, `accuracy` (of the baseline), `model` (its accuracy), `chance` (that of always answering the
        most frequent label), and `verdict`: "chance" if the model is hardly better than that, "below" if it is worse
        than the baseline by more than chance explains, else "fine".
    """
    rows = len(expected)
    right_model = [one == other for one, other in zip(expected, model, strict=True)]
    right_baseline = [one == other for one, other in zip(expected, baseline, strict=True)]
    accuracy, reached = sum(right_model) / rows, sum(right_baseline) / rows
    chance = max(Counter(expected).values()) / rows
    # McNemar: of the rows that only one of the two has right, an excess of one standard deviation is not chance.
    lost = sum(theirs and not ours for ours, theirs in zip(right_model, right_baseline, strict=True))
    won = sum(ours and not theirs for ours, theirs in zip(right_model, right_baseline, strict=True))
    verdict = "fine"
    if lost - won > math.sqrt(lost + won):
        verdict = "below"
    if chance < 1 and reached > accuracy and (accuracy - chance) / (1 - chance) < HARDLY_BETTER:
        verdict = "chance"
    return {
        "name": NAME,
        "rows": rows,
        "accuracy": reached,
        "model": accuracy,
        "chance": chance,
        "verdict": verdict,
    }


def warning(name: str, found: dict[str, Any]) -> str | None:
    """Return what a run says loudly of a model that has not learned enough, with advice; None if there is nothing.

    Args:
        name: The output.
        found: What `compare` returned.
    """
    others = f"{found['name']} {found['accuracy']:.1%}, chance {found['chance']:.1%}"
    beside = f"{name}: {found['model']:.1%} right, {others}"
    if found["verdict"] == "chance":
        return (
            f"WARNING: THIS MODEL HAS HARDLY LEARNED ANYTHING ({beside}). Do not serve it. Train without --config, "
            "which sets the number of epochs by the rows and chooses the model, or give more --epochs."
        )
    if found["verdict"] == "below":
        return (
            f"WARNING: A SIMPLER METHOD IS BETTER THAN THIS MODEL ({beside}). Train without --config, which tries "
            "several models, give more --epochs, or add examples to the labels with low recall (see the report)."
        )
    return None


def _texts(rows: "pd.DataFrame", column: str) -> list[str]:
    return [value if isinstance(value, str) else "" for value in rows[column]]
