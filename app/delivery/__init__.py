"""The deliverer: takes events from the outbox to the receivers, in a process of its own (contract, section 8.2)."""
