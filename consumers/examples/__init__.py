"""Holds agents that do real work, one lesson each: copy the one that is nearest to yours.

general ......... answers prompts without a type; the only one with a default handler
documents ....... text analysis over a folder of documents
files ........... checksums, types, sizes and duplicates of files, streamed, with progress
machine ......... facts about the machine that the agent runs on
inference ....... prompts, sent to any endpoint that speaks the OpenAI chat protocol

task_inputs ..... checked input of a handler
allowed_folders . which files a handler may read
fleet ........... the list of these agents: ``python -m consumers.examples --list``, for `coordinator up`
"""
