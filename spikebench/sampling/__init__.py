"""What a child process does for a job: it measures, trains or observes, and sees to it that what is timed is computed."""
