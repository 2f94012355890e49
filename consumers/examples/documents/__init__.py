"""Text analysis over a folder of documents."""
