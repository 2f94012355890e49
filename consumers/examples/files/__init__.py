"""Checksums, types, sizes and duplicates of files."""
