// Package sqldb reads the rows of a query as the rows of a table, over database/sql: from Postgres, SQLite and whatever else
// has a driver. It brings no driver: import one, such as github.com/jackc/pgx/v5/stdlib or modernc.org/sqlite.
//
// # Columns
//
// The type of a column follows from the database's:
//
//   - whole numbers: int
//   - real, double precision, numeric and decimal: float; what the driver gives exactly keeps all its digits
//   - boolean: bool
//   - timestamps: time; one without a zone is taken as UTC
//   - bytea, blob: bytes
//   - json, jsonb: json
//   - anything else, such as uuid, date, time, interval, enums and arrays: the text that the database writes for it
//
// SQLite keeps a type with each value, and an expression has no other. Such a column gets the type of its value in the first
// row, and text where that is null.
//
// # Bad rows
//
// A value that isn't of its column's type (a text in a column of numbers in SQLite, infinity as a timestamp in Postgres) is a
// [source.RowError] that names the column: the rows behind it can be read. CAST it in the query to the type that it is to
// have. What the database reports while the query runs ends the run, with the number of the row.
package sqldb
