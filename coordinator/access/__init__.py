"""Tells who calls the HTTP API, and what they may do: API keys, JWTs, roles, rates, the audit log.

request ─▶ presented_credential ─▶ authenticator ─▶ key_ring, or jwt_verification ─▶ principal
                                                        │               └─ jwt_key_sources
                                                        └─ the keys of the ledger, by their hashes

roles ................. what may be granted, and what one implies
principal ............. who calls: a name, roles, the one agent that they may speak for
api_key ............... makes keys, and hashes them
presented_credential .. finds the credential in headers, and in the query of streams
key_ring .............. keeps the ledger's keys in memory, and hears of revocations
jwt_key_sources ....... the keys that tokens are signed with, from a URL or a file, reloaded as they rotate
jwt_verification ...... verifies JWTs, and makes principals of their claims
authenticator ......... asks the key ring or the verification for the principal of a credential
access_rules .......... which JWTs count and what they grant, as the settings say it
open_listening ........ refuses to serve beyond this machine without authentication
request_rates ......... counts requests by caller, and refuses those beyond the limit
caller_quotas ......... bounds what one caller has at a time
audit_log ............. writes who did what, one JSON line each

Knows neither HTTP's framework nor the database. The API asks the authenticator before anything else
looks at a request, and its endpoints check roles (`coordinator.api.access_control`).
"""
