"""Train a model of the zoo with Ludwig, export it in every format, and return the certificates."""

from pathlib import Path
from typing import get_args

from export.build import export_model
from export.ludwig_library import import_ludwig, on_cpu
from export.model import load_model
from export.rows import with_affix_columns
from handler.bundle import GraphFormat
from handler.certificate import Parity
from tests.zoo.dataset import dataset
from tests.zoo.models import Config

FORMATS: tuple[GraphFormat, ...] = get_args(GraphFormat)
PROVEN_ROWS = 40


class TrainingFailed(Exception):  # noqa: N818 - it is an outcome, not a mistake
    """Raised if Ludwig itself cannot train a configuration."""


def train_and_prove(config: Config, folder: Path) -> dict[GraphFormat, Parity]:
    """Return the certificate of each format. Raises TrainingFailed, or ParityError if a proof fails."""
    api = import_ludwig()
    _trust_ludwigs_schema()
    rows = with_affix_columns(dataset(), config)
    try:
        with on_cpu():
            results = api.LudwigModel(config, backend="local").train(
                dataset=rows,
                output_directory=str(folder),
                skip_save_processed_input=True,
                skip_save_log=True,
                skip_save_progress=True,
            )
    except Exception as error:  # Ludwig, and the libraries under it, raise all kinds
        raise TrainingFailed(f"{type(error).__name__}: {error}") from error
    model = load_model(Path(results.output_directory))
    proven = rows.head(PROVEN_ROWS)
    return {
        graph_format: export_model(model, folder / graph_format, dataset=proven, graph_format=graph_format).parity
        for graph_format in FORMATS
    }


def _trust_ludwigs_schema() -> None:
    """Let Ludwig check configurations, but skip the check of its own schema, which takes a second each time."""
    from ludwig.config_validation.validation import get_validator

    get_validator().check_schema = lambda *_, **__: None
