"""Prompts, sent to an endpoint that speaks the OpenAI chat protocol."""
