"""Prompts without a type, and a default handler that refuses the rest."""
