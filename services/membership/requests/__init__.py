"""What people ask a list for by mail: to join, to leave, to change how they read, for help."""
