"""What the application is made of, opened at the start; `app.py` says in which order."""
