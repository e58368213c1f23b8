"""The exceptions of training.

TrainingError
├── BusyError       another training is running in the same folder
├── ClusterError    a Ray cluster or its training is unreachable
├── ConfigError     the configuration is not usable
├── DatasetError    the dataset is not usable
├── EvaluationError a run or its evaluation is not usable
├── LaunchError     an instance cannot start, or its job failed
│   ├── CapacityError   AWS has no capacity
│   └── UnreachedError  AWS is unreachable; a retry may succeed
├── ManifestError   a manifest of many trainings is not usable
├── PublishError    a model cannot be published or downloaded
├── ReviewError     captured messages cannot be read, or decisions about them cannot be saved
└── WorkerError     a worker of a training on several of them is lost, or differs from the others
"""

from handler.errors import LudwigServerlessError


class TrainingError(LudwigServerlessError):
    """Base class of all errors that training raises."""


class BusyError(TrainingError):
    """Raised when another training is writing to the same folder."""


class ClusterError(TrainingError):
    """Raised when a Ray cluster is unreachable, or is lost during a training."""


class ConfigError(TrainingError):
    """Raised when a configuration is unreadable or unsupported."""


class DatasetError(TrainingError):
    """Raised when a dataset is unreadable, lacks columns, rows or classes, or has contradictory rows."""


class EvaluationError(TrainingError):
    """Raised when there is nothing to evaluate or plot, or thresholds cannot be fitted."""


class LaunchError(TrainingError):
    """Raised when an instance cannot be started, watched or terminated, or its job failed.

    Attributes:
        code: The AWS error code, such as `DryRunOperation`, or the class name of a boto3 exception; "" otherwise.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CapacityError(LaunchError):
    """Raised when AWS has no capacity for this instance type, or the account's quota is too low."""


class UnreachedError(LaunchError):
    """Raised when AWS is unreachable, or something else answers. AWS may or may not have executed the request."""


class ManifestError(TrainingError):
    """Raised when a manifest of many trainings has mistakes. The message lists all of them."""


class PublishError(TrainingError):
    """Raised when a model cannot be published, or a location cannot be written to or downloaded completely."""


class ReviewError(TrainingError):
    """Raised when captured messages cannot be read, or decisions about them cannot be saved."""


class WorkerError(TrainingError):
    """Raised when a worker of a training on several of them is lost, or differs from the others."""
