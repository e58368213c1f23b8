"""Read the benchmark results that `ludwig-serverless cost` uses. `make bench` writes them, with their dates."""

from pathlib import Path

import msgspec

from handler.errors import SettingsError

BATCH_ROWS = 250
"""The template's default of RowsPerBatch."""
MEASURED = Path(__file__).with_name("measured.json")


class Figure(msgspec.Struct, frozen=True):
    """A measured number.

    Attributes:
        value: The number.
        measured_at: Date of the measurement.
        by: Command of the measurement.
        machine: Machine of the measurement.
        quantiles: The distribution, for the simulator: pairs of a share and the value that this share does not exceed.
            Files from before the simulator have none.
        observations: Number of measured values behind the quantiles.
    """

    value: float
    measured_at: str
    by: str
    machine: str
    quantiles: tuple[tuple[float, float], ...] = ()
    observations: int = 0


class Measured(msgspec.Struct, frozen=True):
    """The measured figures that costs depend on. The benchmarks write more than these.

    Attributes:
        cold_start_milliseconds: Initialization and the first answer, both of which are billed, at 1769 MB.
        warm_answer_milliseconds: An answer through AWS's emulator. HTTP is included, so this is an upper bound.
        log_bytes_per_message: Bytes that the function logs per message.
        answer_bytes_per_message: Bytes of an answer.
        image_megabytes: Size of the image in the registry.
        ludwig_memory_megabytes: Memory of one Ludwig process with the same models.
        ludwig_answers_per_second: Answers per second of that process on two cores.
        map_batch_milliseconds: CPU time of the answers to a batch of BATCH_ROWS rows from Step Functions.
        serve_answers_per_second: Answers per second of `ludwig-serverless serve` with the same models and cores, which
            it shared with the clients.
    """

    cold_start_milliseconds: Figure
    warm_answer_milliseconds: Figure
    log_bytes_per_message: Figure
    answer_bytes_per_message: Figure
    image_megabytes: Figure
    ludwig_memory_megabytes: Figure
    ludwig_answers_per_second: Figure
    map_batch_milliseconds: Figure
    serve_answers_per_second: Figure


def read_measured(path: Path = MEASURED) -> Measured:
    """Read the measured figures.

    Raises:
        SettingsError: The file is unreadable, or has a different structure.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Measured)
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}. Run `make bench` to write it.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} has an invalid structure: {error}. Run `make bench` to write it.") from None
