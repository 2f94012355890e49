"""Runs agents for `--reload`: in a process of its own, that is started anew when its author saves a file.

reloader .......... the loop: what was saved, what runs, what it was told
agent_subprocess .. the process with the agents: started, drained, stopped
saved_files ....... which files were saved, as the kernel tells
syntax_check ...... what keeps a file from being compiled, in one line

Only `saved_files` needs watchfiles, from the extra `reload`. Nothing of the author's is imported here.
"""
