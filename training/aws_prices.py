"""Read AWS's list prices from one dated file, for `ludwig-serverless cost` and `ludwig-serverless launch`."""

from pathlib import Path

import msgspec

from handler.errors import SettingsError

PRICES = Path(__file__).with_name("aws_prices.json")


class PricedInstance(msgspec.Struct, frozen=True):
    """An on-demand Linux instance with shared tenancy.

    Attributes:
        name: The instance type.
        gigabytes: Its memory, in GB.
        hour: Its price, in dollars per hour.
    """

    name: str
    gigabytes: float
    hour: float


class RegionPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of serving in one region, in US dollars, without free tier, discounts and taxes.

    Attributes:
        lambda_million_requests: A million requests to Lambda.
        lambda_gb_second: A GB-second of a function's duration.
        provisioned_gb_second: A GB-second of provisioned concurrency.
        provisioned_duration_gb_second: A GB-second of duration with provisioned concurrency.
        snapstart_cache_gb_second: A GB-second of a SnapStart snapshot.
        snapstart_restore_gb: A restored GB with SnapStart.
        http_api_million_requests: A million requests to an HTTP API.
        logs_gb: A GB of ingested logs.
        logs_storage_gb_month: A GB of stored logs for a month.
        registry_gb_month: A GB in ECR for a month.
        data_out_gb: A GB of data sent to the internet.
        disk_gb_month: A GB of gp3 disk for a month.
        address_hour: A public IPv4 address for an hour.
        instances: On-demand EC2 instances.
        metric_month: A metric in CloudWatch for a month, among the first 10,000.
        metric_requests_thousand: A thousand metrics that are read with GetMetricData, or calls of PutMetricData.
        alarm_month: An alarm on a metric for a month.
        state_transitions_thousand: A thousand state transitions of a Standard workflow of Step Functions.
        express_million_requests: A million Express workflows of Step Functions.
        express_gb_second: A GB-second of Express workflows, among the first thousand GB-hours.
        fargate_core_hour: A vCPU of a Fargate task for an hour (Linux, x86).
        fargate_gb_hour: A GB of a Fargate task for an hour.
        balancer_hour: An application load balancer for an hour.
        balancer_unit_hour: A capacity unit of it for an hour.
    """

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
    instances: list[PricedInstance]
    metric_month: float = 0.30
    metric_requests_thousand: float = 0.01
    alarm_month: float = 0.10
    state_transitions_thousand: float = 0.025
    express_million_requests: float = 1.00
    express_gb_second: float = 0.00001667
    fargate_core_hour: float = 0.04048
    fargate_gb_hour: float = 0.004445
    balancer_hour: float = 0.0225
    balancer_unit_hour: float = 0.008


class TrainingPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of training on EC2, in US dollars. Spot prices are not listed, because `launch` requests them from EC2.

    Attributes:
        disk_gb_month: A gigabyte of gp3 disk for a month, in the most expensive region.
        address_hour: A public IPv4 address for an hour.
        gpu_hour: An hour of an on-demand Linux instance with shared tenancy, by region and instance type.
    """

    disk_gb_month: float = 0.0
    address_hour: float = 0.0
    gpu_hour: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)


class PriceList(msgspec.Struct, frozen=True):
    """A price file.

    Attributes:
        as_of: The month in which somebody last checked the prices, such as `2026-11`.
        currency: The currency of all prices.
        sources: The AWS pages that list the prices.
        regions: Prices of serving by region.
        training: Prices of training. A file for `ludwig-serverless cost --prices` may leave them out.
    """

    as_of: str
    currency: str
    sources: list[str]
    regions: dict[str, RegionPrices]
    training: TrainingPrices = TrainingPrices()

    @property
    def ec2_source(self) -> str:
        """The page with the on-demand prices of EC2, or AWS's price overview if the file does not name one."""
        return next((each for each in self.sources if "/ec2/" in each), "https://aws.amazon.com/pricing/")


def read_prices(path: Path = PRICES) -> PriceList:
    """Read a price file.

    Args:
        path: A JSON file with the structure of `training/aws_prices.json`.

    Raises:
        SettingsError: The file is unreadable, or has a different structure.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PriceList)
    except OSError as error:
        raise SettingsError(f"Cannot read the price file {path} ({error.strerror}). Check --prices.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is not a price file: {error}. Copy training/aws_prices.json and edit the copy."
        ) from None
