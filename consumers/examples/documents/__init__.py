"""Analyses texts, over a folder of documents.

agent ................. the librarian and its handlers
text_splitting ........ paragraphs, sentences, words, syllables
text_statistics ....... size and readability
keywords_and_summary .. what sets a text apart, and its best sentences
"""
