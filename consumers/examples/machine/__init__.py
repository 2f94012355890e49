"""Facts about the machine that the agent runs on."""
