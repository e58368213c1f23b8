"""The export's one command; `handler.command_line` says what each field is."""

from handler.command_line import Command

COMMANDS = {
    "export": Command("turn models into proven bundles", "Export", "export.export_command:add", "export"),
}
