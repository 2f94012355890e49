"""Runs the commands that people type to use the service, over the Python client.

command_pages ...... which commands there are: parses them, and needs no package for that
arguments .......... their arguments and their help
command_run ........ runs one: its client, and an exit status and one line of what goes wrong
command_table ...... the function of each command
commands ........... what they do
called_service ..... where the service is, and the key: options, else the environment
error_sentences .... one line, and an exit status, for each error of the client
unread_output ...... ends a command that follows something once nobody reads it
printing ........... tables for people, JSON for scripts
shell_completion ... the scripts of the shells
exit_statuses ...... what scripts may rely on

Everything goes through the public API, so that they work from any machine; they need the extra `cli`. The
name of a package that is not installed is told by `coordinator.commands.cli`. Arrows run down this list,
but for `exit_statuses`, which all may know.
"""
