"""The delivery worker: sends events from the outbox to receivers, in a separate process (contract, section 8.2)."""
