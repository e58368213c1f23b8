"""Columns that say where a row comes from. They pass through an import unchanged, and no model learns them."""

ID, TIME, REASON, VERSION, REVIEWED = (
    "captured_id",
    "captured_time",
    "captured_reason",
    "captured_version",
    "reviewed_time",
)
PROVENANCE = (ID, TIME, REASON, VERSION, REVIEWED)
"""The id of the captured message, when and why it was captured, the service's version, and when it was reviewed."""
