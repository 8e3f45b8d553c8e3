"""The pages people see: sign-in, services, clients, API and events."""
