"""What puts right what went wrong on the way: tasks whose queue was missing."""
