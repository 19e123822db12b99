"""The Python functions that `tools.yaml` calls."""

from dagrun import workflow


@workflow("collect_tickets")
def collect_tickets(source: str) -> dict[str, object]:
    """One ticket per line."""
    tickets = [line.strip() for line in source.splitlines() if line.strip()]
    return {"tickets": tickets, "count": len(tickets)}


@workflow("triage_tickets")
def triage_tickets(collect__tickets: list[str], **upstream: object) -> dict[str, object]:
    """The urgent ones first. `collect__tickets` is the output `tickets` of the step `collect`."""
    order = sorted(collect__tickets, key=lambda ticket: "urgent" not in ticket.lower())
    return {"order": order, "first": order[0]}
