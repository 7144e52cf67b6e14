"""Who measures what, when and where: sessions, worker processes, executors, campaigns."""
