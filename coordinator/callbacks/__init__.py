"""Tells the URLs that producers named what becomes of their tasks: signed, at least once, and not into
private networks.

    submission ─▶ callback_checks ─▶ the callback goes with the task's message
    projector ──▶ table callbacks ─▶ callback_deliverer ─▶ webhook_post ─▶ the receiver
                                        ▲      └── what came of it ─▶ table callbacks
                                        └── signing_secrets, webhook_signature

address_rules ......... which addresses may be told: public ones, and those of a list
callback_url .......... reads a URL into its parts, and refuses what no callback may have
signing_secrets ....... reads the secrets of the operator's folder
webhook_signature ..... signs a body after the Standard Webhooks convention
callback_checks ....... refuses at submission what could never be told
checked_connections ... resolves a name, checks the addresses and connects to one of those, in one step
webhook_post .......... sends one POST within its bounds, and says what came of it
host_slots ............ how much is sent at a time, in all and to one host
callback_deliverer .... leases what is due, sends it, and has noted what came of it

A module imports those above it. Of the registry this room knows `feed` alone. Whom to tell is untrusted:
whoever may submit chooses it. So every address is checked where it is connected to, no redirect is followed,
and of an answer only its status counts.
"""
