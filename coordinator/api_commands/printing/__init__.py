"""Prints what commands of the API found: tables and lines for people, JSON for scripts.

printer ......... where it goes: a terminal, a pipe, JSON
text_tables ..... columns that fit the terminal; plain ones elsewhere
cell_texts ...... instants, spans and values as short texts that no terminal acts on
task_tables ..... tasks, what they are, and why they wait
fleet_tables .... agents, queues, schedules, callbacks
event_lines ..... events and partial output, a line each
"""
