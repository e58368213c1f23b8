"""What `ludwig-serverless cost` calculates with: two dated files, published prices and measured figures."""

from pathlib import Path

import msgspec

from handler.errors import SettingsError

PRICES = Path(__file__).with_name("prices.json")
MEASURED = Path(__file__).with_name("measured.json")


class Instance(msgspec.Struct, frozen=True):
    """A machine that runs day and night. hour: its price."""

    name: str
    gigabytes: float
    hour: float


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """List prices of a region, without free tier, discount and tax."""

    lambda_million_requests: float
    lambda_gb_second: float
    provisioned_gb_second: float
    provisioned_duration_gb_second: float
    snapstart_cache_gb_second: float
    snapstart_restore_gb: float
    http_api_million_requests: float
    logs_gb: float
    logs_storage_gb_month: float
    registry_gb_month: float
    data_out_gb: float
    disk_gb_month: float
    address_hour: float
    instances: list[Instance]


class PriceList(msgspec.Struct, frozen=True):
    """The file of prices. as_of: the month in which they were written down."""

    as_of: str
    currency: str
    sources: list[str]
    regions: dict[str, Prices]


class Figure(msgspec.Struct, frozen=True):
    """A measured number, with its day, its command and its machine."""

    value: float
    measured_at: str
    by: str
    machine: str


class Measured(msgspec.Struct, frozen=True):
    """What the benchmarks wrote down; they write more than is used here.

    cold_start_milliseconds: initialisation and the first answer, which are billed, at 1769 MB.
    warm_answer_milliseconds: through AWS's emulator, HTTP included, so rather too much than too little.
    ludwig_*: of one process with the same models, on two cores.
    """

    cold_start_milliseconds: Figure
    warm_answer_milliseconds: Figure
    log_bytes_per_message: Figure
    answer_bytes_per_message: Figure
    image_megabytes: Figure
    ludwig_memory_megabytes: Figure
    ludwig_answers_per_second: Figure


def read_prices(path: Path, region: str) -> tuple[PriceList, Prices]:
    """Read a file of prices, and those of a region. Raises SettingsError."""
    listed = _read(path, PriceList)
    if region not in listed.regions:
        raise SettingsError(
            f"{path} has no prices of {region!r}; it has {sorted(listed.regions)}. "
            "Add the region to a copy of the file, and give it with --prices."
        )
    return listed, listed.regions[region]


def read_measured(path: Path = MEASURED) -> Measured:
    """Read the measured figures. Raises SettingsError."""
    return _read(path, Measured)


def _read[T](path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is not what it should be: {error}. See ludwig_serverless/cost/prices.json for the form of prices; "
            "`make bench` writes the measured figures."
        ) from None
