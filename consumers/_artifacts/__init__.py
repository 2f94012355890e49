"""Keeps artifacts of tasks, what is too large for a result, in a store of the operator's choice.

    a handler ── task.store(data) ──▶ artifacts ── key, chunks ──▶ folder_store, bucket_store
              ◀── reference ─────────           (bytes are counted and hashed as they pass)
              ── task.fetch(reference) ──▶ artifacts ── key ──▶ the same; size and SHA-256 have to agree

artifacts ............ the way to a store: names, counts, checks
store_address ........ what `COORDINATOR_ARTIFACTS` names, opened
artifact_store ....... the port, which has two forms
folder_store ......... files in a folder
bucket_store ......... objects in a bucket of S3
bucket_variables ..... where `AWS_*` says that it is
bucket_errors ........ what its answers mean for whoever reads them
artifact_data ........ what a handler gives, read in pieces
regular_file ......... the path among it, opened
artifact_reference ... what it is given back
artifact_keys ........ where an artifact is within its store
artifact_errors ...... what may go wrong

The reference is plain JSON and goes where results go; the bytes pass neither the broker nor a coordinator.
Everything here blocks, and is called in threads (`_handling.artifact_transfers`). Only `bucket_store` and
`bucket_errors` need obstore, from the extra `artifacts`.
"""
