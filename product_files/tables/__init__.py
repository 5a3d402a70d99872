"""Tables: CSV, workbooks, HTML, and those of shop systems."""
