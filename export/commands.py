"""The `export` command in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

COMMANDS = {
    "export": Command("export models as proven bundles", "Export", "export.export_command:add", "export"),
}
