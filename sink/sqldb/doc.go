// Package sqldb writes results as rows of a table in Postgres or SQLite, over database/sql. It brings no driver: import
// github.com/jackc/pgx/v5/stdlib or modernc.org/sqlite.
//
// # What is safe
//
// One Write is one transaction: when it returns nil, its results are committed, and survive whatever the database's own
// commits survive. A row stands for one request, by its id: written again, it is replaced. So a run that died, at whatever
// moment, is continued by the next, which asks for nothing again that was committed.
//
// Where the connection is lost in the midst, or another transaction is in the way, the transaction is done again on a new
// connection for about half a minute, and then the run breaks.
//
// # What a table refuses
//
// Zero bytes in a text, and what isn't UTF-8 or no whole character, become U+FFFD, since databases don't take them. A single
// result that the table refuses all the same (by a constraint or a trigger of yours, or since a value is out of range) doesn't
// break the run: it is stored as a failure of its request, a StageError that says what the database said. Its answer stands
// in the column response, unless the table refuses that too. [Output.Refused] counts the successes among them. Where 20 results in a row are
// refused, or one can't even be stored as a failure, the run breaks: all else of that batch is committed.
package sqldb
