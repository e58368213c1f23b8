"""Copy the vocabulary of entities from a run into a bundle: main values, synonyms and keywords."""

from pathlib import Path

from export.console import say
from export.errors import ModelError
from handler.vocabulary import FILE, read_entities


def copy_entities(run: Path, bundle: Path) -> str | None:
    """Check and copy `entities.json`, which `ludwig-serverless fit` writes next to the model.

    Args:
        run: The run's folder.
        bundle: The bundle's folder.

    Returns:
        The name of the file in the bundle, or None if the run has no vocabulary.

    Raises:
        ModelError: The file is broken.
    """
    path = run / FILE
    if not path.is_file():
        return None
    try:
        entities = read_entities(path)
    except ValueError as error:
        raise ModelError(f"{path} is broken: {error}. Import the data and train again, or delete the file.") from None
    (bundle / FILE).write_bytes(path.read_bytes())
    say(f"The bundle contains a vocabulary for {', '.join(entity.name for entity in entities)}.")
    return FILE
