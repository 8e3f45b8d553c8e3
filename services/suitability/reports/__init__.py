"""Registers and reports for people: spreadsheets that open in Excel, and a page to print."""
