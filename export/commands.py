"""The `export` and `language` commands in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

COMMANDS = {
    "export": Command("export models as proven bundles", "Export", "export.export_command:add", "export"),
    "language": Command("build a language model without training", "Export", "export.language.command:add", "language"),
}
