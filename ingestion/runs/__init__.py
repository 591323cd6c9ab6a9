"""What changes a collection: whole runs and single documents, with all that must survive a kill."""
