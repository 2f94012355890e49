"""Computes when a recurring schedule is due, in its time zone. Pure.

ticks ........ the ticks of a schedule, missed ones included
interval ..... every so many seconds, without a clock on a wall
expression ... a cron expression, and the times it names
wall_clock ... what a zone's clocks show, over their changes

Arrows run down this list.
"""
