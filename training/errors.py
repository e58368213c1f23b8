"""The exceptions of training, in one tree.

TrainingError
├── BusyError       another training is at work in the same folder
├── ClusterError    a Ray cluster, or what trains on it, is not reached
├── ConfigError     the configuration cannot be used
├── DatasetError    the dataset cannot be used as it is
├── EvaluationError what a run or its evaluation holds cannot be used
├── LaunchError     a machine cannot be started, or the job on it failed
│   ├── CapacityError   AWS has no such machine to give now
│   └── UnreachedError  AWS cannot be reached; it may be later
└── PublishError    a model cannot be published, or not be fetched
"""

from handler.errors import LudwigServerlessError


class TrainingError(LudwigServerlessError):
    """Base of everything that training raises on purpose."""


class BusyError(TrainingError):
    """Raise when two trainings would write to the same folder."""


class ClusterError(TrainingError):
    """Raise when a Ray cluster is not reached, or is lost while it trains."""


class ConfigError(TrainingError):
    """Raise when a configuration is unreadable, or asks for what cannot be had."""


class DatasetError(TrainingError):
    """Raise when a dataset is unreadable, lacks columns, rows or classes, or its rows contradict themselves."""


class EvaluationError(TrainingError):
    """Raise when there is nothing to evaluate or to draw, or thresholds cannot be fitted."""


class LaunchError(TrainingError):
    """Raise when a machine cannot be started, watched or ended as asked, or when the job on it failed.

    code: AWS's error code, such as `DryRunOperation`, or the class of boto3's exception; "" where it is not AWS's.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CapacityError(LaunchError):
    """Raise when AWS has no machine of this kind to give now, or not to this account."""


class UnreachedError(LaunchError):
    """Raise when AWS cannot be reached, or something else answers: it may have done what was asked, or not."""


class PublishError(TrainingError):
    """Raise when a model cannot be published as it is, or a place cannot be written to or be fetched from whole."""
