"""Import products from CSV files (contract, section 11).

- A file: its text (`text_file`), its table (`csv_table`), its numbers (`csv_numbers`), and its rows as products
  (`product_csv`). No database.
- The database: the change that a row makes (`comparison`), the exclusive right to import (`lease`), the changes until
  they are applied (`staging`), and their application (`applying`, `statements`).
- An export that an import reads back unchanged (`product_export`, `formulas`).
- `importer` runs these steps in order, in many short transactions.
"""
