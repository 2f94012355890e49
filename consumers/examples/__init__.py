"""Agents that do real work, one lesson each: copy the one that is nearest to yours.

general      answers prompts without a type; the only one with a default handler
documents    text analysis over a folder of documents
files        checksums, types, sizes and duplicates of files, streamed, with progress
machine      facts about the machine that the agent runs on
inference    prompts, sent to any endpoint that speaks the OpenAI chat protocol

``python -m consumers.examples --list`` prints the fleet that `coordinator up` starts.
"""
