"""What operators see and do, as plain functions: the command line and the routes call the same."""
