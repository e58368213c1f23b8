"""Find and check the instance type, machine image and network, before anything costs money."""

from dataclasses import dataclass
from typing import Any

from training.aws_errors import SETUP
from training.errors import LaunchError
from training.launch.aws import Aws, explained

AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
NAME = "ludwig-serverless-launch"
"""The name of the role, instance profile and security group that `ludwig-serverless launch setup` creates."""
DEADLINE_ROLE = f"{NAME}-deadline"
"""The name of the role that EventBridge Scheduler assumes to terminate instances."""


@dataclass(frozen=True)
class Image:
    """A machine image (AMI).

    Attributes:
        id: The AMI id.
        name: The AMI name.
        root_device: The device of the root disk.
        disk_gb: The minimum size of the root disk, in gigabytes.
        extra_disks: The device and size in gigabytes of each additional EBS volume of the image.
    """

    id: str
    name: str
    root_device: str
    disk_gb: int
    extra_disks: tuple[tuple[str, int], ...] = ()

    @property
    def extra_gb(self) -> int:
        """The total size of the additional volumes, in gigabytes."""
        return sum(size for _, size in self.extra_disks)


def check_type(aws: Aws, instance_type: str) -> str:
    """Return a description of an instance type. Raises LaunchError if it has no NVIDIA GPU or is not x86-64."""
    with explained(f"Cannot use the instance type {instance_type}"):
        (found,) = aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        architectures = found["ProcessorInfo"]["SupportedArchitectures"]
    gpus = [gpu for gpu in found.get("GpuInfo", {}).get("Gpus", ()) if gpu.get("Manufacturer") == "NVIDIA"]
    if not gpus:
        raise LaunchError(
            f"{instance_type} has no NVIDIA GPU: use g4dn.xlarge, g5.xlarge or g6.xlarge. Without a GPU, train "
            "for free on your own machine with `ludwig-serverless fit`."
        )
    if "x86_64" not in architectures:
        raise LaunchError(
            f"{instance_type} is not an x86-64 instance, which the training image requires: use g5.xlarge."
        )
    memory = found["MemoryInfo"]["SizeInMiB"] // 1024
    names = ", ".join(f"{gpu.get('Count', 1)} x NVIDIA {gpu['Name']}" for gpu in gpus)
    return f"{names}, {found['VCpuInfo']['DefaultVCpus']} vCPUs, {memory} GB of memory"


def find_image(aws: Aws, ami: str | None) -> Image:
    """Return a machine image.

    Args:
        aws: The region.
        ami: The AMI id, or None for the latest Deep Learning AMI.

    Raises:
        LaunchError: The image does not exist, or costs more than the listed prices.
    """
    if ami is None:
        with explained(f"Cannot read the AWS parameter {AMI_PARAMETER}"):
            ami = str(aws.client("ssm").get_parameter(Name=AMI_PARAMETER)["Parameter"]["Value"])
    with explained(f"Cannot use the machine image {ami}"):
        images = aws.client("ec2").describe_images(ImageIds=[ami])["Images"]
    if not images:
        raise LaunchError(
            f"There is no machine image {ami} in {aws.region}. Check --ami: an AMI belongs to one region."
        )
    found = images[0]
    if found.get("Platform") == "windows" or found.get("ProductCodes"):
        raise LaunchError(
            f"The machine image {ami} costs extra (Windows or AWS Marketplace), and that price is unknown, so the "
            "limit in dollars would not hold: use another --ami."
        )
    root = found.get("RootDeviceName", "/dev/sda1")
    mappings = found.get("BlockDeviceMappings", ())
    disks = {each["DeviceName"]: int(each["Ebs"].get("VolumeSize", 0)) for each in mappings if each.get("Ebs")}
    extra = tuple(sorted((device, size) for device, size in disks.items() if device != root))
    return Image(ami, found.get("Name", ""), root, disks.get(root, 0), extra)


def find_subnets(aws: Aws, instance_type: str, subnet: str | None) -> list[dict[str, Any]]:
    """Find the subnets to try.

    Args:
        aws: The AWS clients of the region.
        instance_type: The instance type.
        subnet: The id of the subnet to use; None uses default subnets.

    Returns:
        EC2's description of the given subnet, or of the default subnets in zones that offer the instance type.

    Raises:
        LaunchError: The subnet does not exist, or no zone has a default subnet and offers the instance type.
    """
    client = aws.client("ec2")
    if subnet:
        with explained(f"Cannot use the subnet {subnet}"):
            found: list[dict[str, Any]] = client.describe_subnets(SubnetIds=[subnet])["Subnets"]
        return found
    with explained("Cannot list subnets"):
        offers = client.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )["InstanceTypeOfferings"]
        subnets = client.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    if not subnets:
        raise LaunchError(
            f"There is no default subnet in {aws.region}. Pass a subnet with internet access with --subnet."
        )
    zones = {offer["Location"] for offer in offers}
    if not (found := [each for each in subnets if each["AvailabilityZone"] in zones]):
        raise LaunchError(
            f"{aws.region} offers no {instance_type} in a zone with a default subnet: use another region."
        )
    return found


def find_group(aws: Aws, vpc: str) -> str:
    """Return the security group of `launch setup`. Raises LaunchError if it is missing or allows inbound traffic."""
    filters = [{"Name": "group-name", "Values": [NAME]}, {"Name": "vpc-id", "Values": [vpc]}]
    with explained("Cannot list security groups"):
        groups = aws.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not groups:
        raise LaunchError(f"There is no security group {NAME} in {vpc} ({aws.region}). Run {SETUP} first.")
    if groups[0]["IpPermissions"]:
        raise LaunchError(
            f"The security group {groups[0]['GroupId']} allows inbound traffic, which a training does not need: "
            "delete its inbound rules."
        )
    return str(groups[0]["GroupId"])
