"""Keeps artifacts of tasks, what is too large for a result, in a store of the operator's choice.

    a handler ── task.store(data) ──▶ artifacts ── key, chunks ──▶ folder_store, bucket_store
              ◀── reference ─────────           (bytes are counted and hashed as they pass)
              ── task.fetch(reference) ──▶ artifacts ── key ──▶ the same; size and SHA-256 have to agree

The reference is plain JSON and goes where results go; the bytes pass neither the broker nor a coordinator.
Everything here blocks, and is called in threads (`_handling.artifact_transfers`). Only `bucket_store` needs
obstore, from the extra `artifacts`.
"""
