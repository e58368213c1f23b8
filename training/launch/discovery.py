"""What a machine is made from: its type, its image, its network. Found and checked before anything costs."""

from dataclasses import dataclass
from typing import Any

from training.aws_errors import SETUP
from training.errors import LaunchError
from training.launch.aws import Aws, explained

AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
NAME = "ludwig-serverless-launch"
"""Of the role, the instance profile and the security group that `ludwig-serverless launch setup` makes."""


@dataclass(frozen=True)
class Image:
    """An AMI. disk_gb: what its own files need."""

    id: str
    name: str
    root_device: str
    disk_gb: int


def check_type(aws: Aws, instance_type: str) -> str:
    """Return what a type of instance has, in words. Raises LaunchError if it has no NVIDIA GPU, or is not x86-64."""
    with explained(f"{instance_type} cannot be started"):
        (found,) = aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    gpus = [gpu for gpu in found.get("GpuInfo", {}).get("Gpus", ()) if gpu.get("Manufacturer") == "NVIDIA"]
    if not gpus:
        raise LaunchError(
            f"{instance_type} has no NVIDIA GPU: take g4dn.xlarge, g5.xlarge or g6.xlarge. A training without a GPU "
            "costs nothing on your own machine: `ludwig-serverless fit`."
        )
    if "x86_64" not in found["ProcessorInfo"]["SupportedArchitectures"]:
        raise LaunchError(
            f"{instance_type} is no x86-64 machine, which the training image is made for: take g5.xlarge."
        )
    memory = found["MemoryInfo"]["SizeInMiB"] // 1024
    names = ", ".join(f"{gpu.get('Count', 1)} x NVIDIA {gpu['Name']}" for gpu in gpus)
    return f"{names}, {found['VCpuInfo']['DefaultVCpus']} vCPUs, {memory} GB of memory"


def find_image(aws: Aws, ami: str | None) -> Image:
    """Return an AMI: the one given, else the latest Deep Learning AMI, from AWS's public parameter."""
    if ami is None:
        with explained(f"AWS's parameter {AMI_PARAMETER} cannot be read"):
            ami = str(aws.client("ssm").get_parameter(Name=AMI_PARAMETER)["Parameter"]["Value"])
    with explained(f"The machine image {ami} cannot be used"):
        images = aws.client("ec2").describe_images(ImageIds=[ami])["Images"]
    if not images:
        raise LaunchError(
            f"There is no machine image {ami} in {aws.region}: an AMI belongs to one region. Look at --ami."
        )
    root = images[0].get("RootDeviceName", "/dev/sda1")
    disks = [each.get("Ebs", {}) for each in images[0].get("BlockDeviceMappings", ()) if each["DeviceName"] == root]
    return Image(ami, images[0].get("Name", ""), root, disks[0].get("VolumeSize", 0) if disks else 0)


def find_subnets(aws: Aws, instance_type: str, subnet: str | None) -> list[dict[str, Any]]:
    """Return the subnets to try in turn: the one given, else the default ones whose zones have such machines."""
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
        raise LaunchError(f"{aws.region} has no {instance_type} in a zone with a default subnet: take another region.")
    return found


def find_group(aws: Aws, vpc: str) -> str:
    """Return the security group of `launch setup`. Raises LaunchError if it is missing, or lets anything in."""
    filters = [{"Name": "group-name", "Values": [NAME]}, {"Name": "vpc-id", "Values": [vpc]}]
    with explained("Security groups cannot be listed"):
        groups = aws.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not groups:
        raise LaunchError(f"There is no security group {NAME} in {vpc} ({aws.region}). Run {SETUP} first.")
    if groups[0]["IpPermissions"]:
        raise LaunchError(
            f"The security group {groups[0]['GroupId']} lets something in, and a training needs nothing: take its "
            "inbound rules away."
        )
    return str(groups[0]["GroupId"])
