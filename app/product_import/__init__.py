"""Products from CSV files (contract, section 11), in three parts.

- A file: its text (`csv_text`), its table (`csv_table`), its numbers (`csv_numbers`), and its rows as products
  (`product_file`). No database.
- The database: what a row changes (`comparison`), the right to import (`lease`), and the changes until they are made
  (`staging`).
- `importer` puts them in order, in many short transactions.
"""
