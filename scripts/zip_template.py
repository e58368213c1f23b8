"""Derive the template of the zip package from template.yaml, so that both deployments are the same in everything else.

SAM needs the package type as a literal, and accepts a runtime and a handler only with `Zip`, not behind a condition. So
one template cannot have both, unless every alarm and role exists twice.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
HANDLER, RUNTIME = "handler.entrypoint.lambda_handler", "python3.12"
IMAGE_ONLY = {"BaseImage", "BakedBundles", "Fetch", "ImageTag"}
"""Parameters of the image's build. `make zip` has options for its content instead."""
SETTINGS = {"HF_HOME": "/tmp/huggingface", "ORT_DISABLE_TELEMETRY": "1"}
"""What the image sets by itself (see Dockerfile.lambda)."""


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` becomes {"Ref": "x"}."""


class _SplittingLoader(Loader):
    """The same, where `!GetAtt x.y` becomes {"Fn::GetAtt": ["x", "y"]}: YAML's long form takes no text with a dot."""


class _Dumper(yaml.SafeDumper):
    """YAML without references between equal parts, which CloudFormation does not read."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _long_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"!{suffix} of a mapping")
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


def _attribute(loader: Loader, node: yaml.ScalarNode) -> dict[str, Any]:
    return {"Fn::GetAtt": str(loader.construct_scalar(node)).split(".", 1)}


Loader.add_multi_constructor("!", _long_form)
_SplittingLoader.add_constructor("!GetAtt", _attribute)


def write_template(path: Path, package: str, architecture: str) -> None:
    """Write the template of a zip package.

    Args:
        path: The file to write.
        package: The package's path, relative to the template.
        architecture: The package's processor, which becomes the only allowed one.
    """
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), _SplittingLoader)
    zip_template = for_zip(template, package, architecture)
    # The other functions are in a folder of this repository.
    for name in ("FingerprintFunction", "PreTrafficCheck", "DriftCheck"):
        properties = zip_template["Resources"][name]["Properties"]
        source = ROOT / properties["CodeUri"]
        properties["CodeUri"] = source.relative_to(path.parent.resolve(), walk_up=True).as_posix()
    text = yaml.dump(zip_template, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(f"# Made from template.yaml by `make zip`. Edit that file instead.\n{text}", encoding="utf-8")


def for_zip(template: Any, package: str, architecture: str) -> Any:
    """Change the function's package type, and remove the parameters of the image's build.

    Args:
        template: The image's template, in long forms. It is changed.
        package: Path of the package.
        architecture: The package's processor.

    Returns:
        The template of the zip package.
    """
    template["Description"] = template["Description"].removesuffix(".") + " (zip package)."
    for name in IMAGE_ONLY:
        del template["Parameters"][name]
    template["Parameters"]["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture]}
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    for group in interface["ParameterGroups"]:
        group["Parameters"] = [name for name in group["Parameters"] if name not in IMAGE_ONLY]
    interface["ParameterLabels"] = {
        name: label for name, label in interface["ParameterLabels"].items() if name not in IMAGE_ONLY
    }
    function = template["Resources"]["Function"]
    function["Metadata"] = {"cfn-lint": function["Metadata"]["cfn-lint"]}
    function["Properties"] |= {"PackageType": "Zip", "CodeUri": package, "Handler": HANDLER, "Runtime": RUNTIME}
    function["Properties"]["Environment"]["Variables"] |= SETTINGS
    return template
