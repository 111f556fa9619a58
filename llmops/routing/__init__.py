"""Routing: which model a request goes to, what that would have cost and lost on recorded answers."""
