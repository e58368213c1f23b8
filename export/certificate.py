"""Format a proof of parity for the terminal: one line for a bundle, and the worst rows if it failed."""

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
        verdict = "" if parity.passed else "DOES NOT MATCH Ludwig, before or after quantization; "
        return (
            f"{manifest.name}: {verdict}quantized ({kept.name} int8), {kept.agreement:.2%} of labels on "
            f"{manifest.quantization.rows} rows match the model ({manifest.quantization.agreement:.2%} required); "
            f"{parity.labels_equal} of {parity.rows} rows, including edge cases, have equal labels, and the "
            f"largest probability difference is {_difference(parity)}"
        )
    reference = "Ludwig" if manifest.provenance.source is None else "its source"
    verdict = f"matches {reference}" if parity.passed else f"DOES NOT MATCH {reference}"
    return (
        f"{manifest.name}: {verdict} on {parity.rows} rows (including {parity.odd_rows} edge cases): "
        f"ids equal {parity.ids_equal}, labels equal {parity.labels_equal}, "
        f"largest probability difference {_difference(parity)} (tolerance {parity.tolerance:.0e})"
    )


def explain_failure(name: str, parity: Parity, comparisons: Sequence[Comparison]) -> str:
    """Explain why no bundle was written, and show the worst rows.

    Args:
        name: The name of the bundle.
        parity: Its failed certificate.
        comparisons: All rows, worst first. The text quotes them, so print it only to the terminal, never to a log.

    Returns:
        Several lines; the last one says what to do next.
    """
    lines = [
        f"{name} does not match its model, so no bundle was written: of {parity.rows} rows, "
        f"{parity.rows - parity.ids_equal} have different ids, {parity.rows - parity.labels_equal} have different "
        f"labels, and the largest probability difference is {_difference(parity)} (tolerance {parity.tolerance:.0e}). "
        "The worst rows:"
    ]
    for comparison in comparisons[: len(parity.worst)]:
        values = {column: _shortened(value) for column, value in comparison.row.values.items()}
        lines.append(f"  {comparison.row.name}: {values}")
        lines += [f"      {_shortened(difference)}" for difference in comparison.differences[:SHOWN_DIFFERENCES]]
    lines.append(
        "Please report this model. To inspect the bundle, write it with --allow-failed-proof: it stays marked failed."
    )
    return "\n".join(lines)


def _difference(parity: Parity) -> str:
    return "not a number" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.1e}"


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
