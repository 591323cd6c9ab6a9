"""The gateway: routes, the answer path, guards, feedback, and what operators need."""
