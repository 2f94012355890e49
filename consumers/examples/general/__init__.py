"""Answers prompts without a type; its default handler refuses the rest.

agent ................. the generalist
default_handler ....... answers, or refuses with a sentence
answer_without_model .. figures about a prompt that no model has seen
"""
