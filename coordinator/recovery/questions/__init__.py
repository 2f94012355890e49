"""Sees the questions to an end that attempts ask people.

question_answerer ....... answers the question of a task by request
answer_check ............ pure: is this an answer to that question, by its size and choices
schema_check ............ the same by a JSON schema, which is an agent's, in a process of its own
schema_process .......... that process

Arrows run down this list. Who is given an answer is the law's to say.
"""
