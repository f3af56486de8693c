"""Business rules, in verbs: no HTTP words, no commit."""
