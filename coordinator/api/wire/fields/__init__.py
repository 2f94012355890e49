"""The fields that many requests and answers share: their types, and how they are read and written.

lenient_json .... JSON of clients in other languages: `[]` for `{}`, null for nothing
text_patterns ... lengths and patterns of ids and names, for the OpenAPI document
body_configs .... configuration of the models of bodies: ignoring or refusing unknown keys
instants ........ RFC 3339, read and written
short_texts ..... texts of agents in lists, cut
cursors ......... places of pages, as text
page_fields ..... limit, cursor, count and total of lists
answer_fields ... ids, states, instants and warnings of answers, and their base `AnswerModel`

None of these imports another.
"""
