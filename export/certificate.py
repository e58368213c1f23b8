"""A proof as a person reads it: one line for a bundle, and the worst rows of one that failed."""

from collections.abc import Sequence

from export.parity import Comparison
from handler.bundle import Manifest
from handler.certificate import Parity

SHOWN_DIFFERENCES = 4
SHOWN_CHARACTERS = 200


def certificate(manifest: Manifest) -> str:
    """Return a bundle's certificate as one line of text."""
    parity = manifest.parity
    if parity.promise == "agreement" and manifest.quantization:
        kept = next(candidate for candidate in manifest.quantization.candidates if candidate.kept)
        verdict = "" if parity.passed else "DOES NOT ANSWER as Ludwig does, before it was quantized or since; "
        return (
            f"{manifest.name}: {verdict}quantized ({kept.name} int8), {kept.agreement:.2%} of the labels of "
            f"{manifest.quantization.rows} rows are its model's ({manifest.quantization.agreement:.2%} asked for); "
            f"{parity.labels_equal} of {parity.rows} rows, the odd ones included, have all labels the same, and the "
            f"largest difference of a probability is {_difference(parity)}"
        )
    verdict = "answers as Ludwig does" if parity.passed else "DOES NOT ANSWER as Ludwig does"
    return (
        f"{manifest.name}: {verdict} on {parity.rows} rows ({parity.odd_rows} of them odd): "
        f"ids equal {parity.ids_equal}, labels equal {parity.labels_equal}, "
        f"largest difference of a probability {_difference(parity)} (allowed {parity.tolerance:.0e})"
    )


def explain_failure(name: str, parity: Parity, comparisons: Sequence[Comparison]) -> str:
    """Return why no bundle was written, with the rows that came out worst.

    Args:
        name: What the bundle is called.
        parity: Its certificate, which failed.
        comparisons: Every row, the worst first. The text quotes them: it is for the terminal, never for a log.

    Returns:
        Several lines; the last says what to do.
    """
    lines = [
        f"{name} does not answer as its model does, so no bundle was written: of {parity.rows} rows, "
        f"{parity.rows - parity.ids_equal} have other ids, {parity.rows - parity.labels_equal} other labels, and the "
        f"largest difference of a probability is {_difference(parity)} (allowed {parity.tolerance:.0e}). The worst:"
    ]
    for comparison in comparisons[: len(parity.worst)]:
        values = {column: _shortened(value) for column, value in comparison.row.values.items()}
        lines.append(f"  {comparison.row.name}: {values}")
        lines += [f"      {_shortened(difference)}" for difference in comparison.differences[:SHOWN_DIFFERENCES]]
    lines.append(
        "Please report this model. To look into it, --allow-failed-proof writes the bundle, marked as failed for good."
    )
    return "\n".join(lines)


def _difference(parity: Parity) -> str:
    return "not a number" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.1e}"


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
