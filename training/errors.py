"""The exceptions of training, in one tree.

TrainingError
├── ConfigError     the configuration cannot be used
└── DatasetError    the dataset cannot be used as it is
"""


class TrainingError(Exception):
    """Base of everything that training raises on purpose."""


class ConfigError(TrainingError):
    """Raise when a configuration is unreadable, or asks for what cannot be had."""


class DatasetError(TrainingError):
    """Raise when a dataset is unreadable, lacks columns, rows or classes, or its rows contradict themselves."""
