"""Tells checksums, types, sizes and duplicates of files.

agent ............. the archivist and its handlers
folder_inventory .. what is in a folder, and which files are the same
file_contents ..... checksums and type of one file
"""
