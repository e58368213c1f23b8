"""What a machine is made from: its type, its image, its network. Found and checked before anything costs money."""

from dataclasses import dataclass
from typing import Any

from training.aws_errors import SETUP
from training.errors import LaunchError
from training.launch.aws import Aws, explained

AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
NAME = "ludwig-serverless-launch"
"""Of the instances' role, instance profile and security group, which `ludwig-serverless launch setup` makes."""
DEADLINE_ROLE = f"{NAME}-deadline"
"""Of the role with which EventBridge Scheduler terminates instances."""


@dataclass(frozen=True)
class Image:
    """An AMI.

    Attributes:
        disk_gb: the least size of the root disk.
        extra_disks: further EBS volumes that the image brings along: device and gigabytes.
    """

    id: str
    name: str
    root_device: str
    disk_gb: int
    extra_disks: tuple[tuple[str, int], ...] = ()

    @property
    def extra_gb(self) -> int:
        """The size of all further volumes."""
        return sum(size for _, size in self.extra_disks)


def check_type(aws: Aws, instance_type: str) -> str:
    """Return what a type of instance has, in words. Raises LaunchError if it has no NVIDIA GPU, or is not x86-64."""
    with explained(f"{instance_type} cannot be started"):
        (found,) = aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        architectures = found["ProcessorInfo"]["SupportedArchitectures"]
    gpus = [gpu for gpu in found.get("GpuInfo", {}).get("Gpus", ()) if gpu.get("Manufacturer") == "NVIDIA"]
    if not gpus:
        raise LaunchError(
            f"{instance_type} has no NVIDIA GPU: use g4dn.xlarge, g5.xlarge or g6.xlarge. A training without a GPU "
            "costs nothing on your own machine: `ludwig-serverless fit`."
        )
    if "x86_64" not in architectures:
        raise LaunchError(f"{instance_type} is not an x86-64 machine, as the training image needs: use g5.xlarge.")
    memory = found["MemoryInfo"]["SizeInMiB"] // 1024
    names = ", ".join(f"{gpu.get('Count', 1)} x NVIDIA {gpu['Name']}" for gpu in gpus)
    return f"{names}, {found['VCpuInfo']['DefaultVCpus']} vCPUs, {memory} GB of memory"


def find_image(aws: Aws, ami: str | None) -> Image:
    """Return a machine image.

    Args:
        aws: the region.
        ami: its id; None for the latest Deep Learning AMI, by AWS's public parameter.

    Raises:
        LaunchError: there is no such image, or it costs more than the listed prices say.
    """
    if ami is None:
        with explained(f"AWS's parameter {AMI_PARAMETER} cannot be read"):
            ami = str(aws.client("ssm").get_parameter(Name=AMI_PARAMETER)["Parameter"]["Value"])
    with explained(f"The machine image {ami} cannot be used"):
        images = aws.client("ec2").describe_images(ImageIds=[ami])["Images"]
    if not images:
        raise LaunchError(
            f"There is no machine image {ami} in {aws.region}: an AMI belongs to one region. Check --ami."
        )
    found = images[0]
    if found.get("Platform") == "windows" or found.get("ProductCodes"):
        raise LaunchError(
            f"The machine image {ami} costs extra (Windows, or a product of AWS Marketplace), and that price is not "
            "known, so no cap would hold: give another --ami."
        )
    root = found.get("RootDeviceName", "/dev/sda1")
    mappings = found.get("BlockDeviceMappings", ())
    disks = {each["DeviceName"]: int(each["Ebs"].get("VolumeSize", 0)) for each in mappings if each.get("Ebs")}
    extra = tuple(sorted((device, size) for device, size in disks.items() if device != root))
    return Image(ami, found.get("Name", ""), root, disks.get(root, 0), extra)


def find_subnets(aws: Aws, instance_type: str, subnet: str | None) -> list[dict[str, Any]]:
    """Return the subnets to try, in order: the one given, or the default ones whose zones have such machines."""
    client = aws.client("ec2")
    if subnet:
        with explained(f"The subnet {subnet} cannot be used"):
            found: list[dict[str, Any]] = client.describe_subnets(SubnetIds=[subnet])["Subnets"]
        return found
    with explained("Subnets cannot be listed"):
        offers = client.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )["InstanceTypeOfferings"]
        subnets = client.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    if not subnets:
        raise LaunchError(
            f"There is no default subnet in {aws.region}: give one that reaches the internet with --subnet."
        )
    zones = {offer["Location"] for offer in offers}
    if not (found := [each for each in subnets if each["AvailabilityZone"] in zones]):
        raise LaunchError(f"{aws.region} has no {instance_type} in a zone with a default subnet: use another region.")
    return found


def find_group(aws: Aws, vpc: str) -> str:
    """Return the security group of `launch setup`. Raises LaunchError if it is missing, or lets traffic in."""
    filters = [{"Name": "group-name", "Values": [NAME]}, {"Name": "vpc-id", "Values": [vpc]}]
    with explained("Security groups cannot be listed"):
        groups = aws.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not groups:
        raise LaunchError(f"There is no security group {NAME} in {vpc} ({aws.region}). Run {SETUP} first.")
    if groups[0]["IpPermissions"]:
        raise LaunchError(
            f"The security group {groups[0]['GroupId']} lets traffic in, and a training needs none: delete its inbound "
            "rules."
        )
    return str(groups[0]["GroupId"])
