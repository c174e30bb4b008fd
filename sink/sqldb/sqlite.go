package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func sqliteDialect() *dialect {
	return &dialect{
		name: "SQLite", maxParameters: 32_766, begin: "BEGIN IMMEDIATE", foldsCase: true,
		types: [...]string{
			batch.TextColumn: "TEXT", batch.IntColumn: "INTEGER", batch.FloatColumn: "REAL", batch.BoolColumn: "BOOLEAN",
			batch.TimeColumn: "TIMESTAMP", batch.BytesColumn: "BLOB",
			batch.VectorColumn: "JSON TEXT", batch.JSONColumn: "JSON TEXT", // TEXT keeps the digits of numbers
		},
		placeholder: func(int) string { return "?" }, // the driver looks up numbers one after the other
		parameter:   sqliteParameter, fits: sqliteFits, describe: describeSQLite, lock: lockSQLite,
	}
}

func sqliteParameter(_ column, value any) any {
	switch v := value.(type) {
	case string:
		return storable(v)
	case json.Number:
		f, _ := v.Float64() // too large a number is infinite
		return f
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case json.RawMessage:
		return string(v)
	case []float32:
		return vectorText(v, '[', ']')
	}
	return value
}

// sqliteFits goes by the affinity of a column, which is what SQLite makes of the name of its type.
func sqliteFits(t batch.ColumnType, databaseType string) bool {
	affinity := sqliteAffinity(databaseType)
	switch t {
	case batch.IntColumn, batch.BoolColumn:
		return affinity != "TEXT" && affinity != "REAL"
	case batch.FloatColumn:
		return affinity != "TEXT"
	case batch.BytesColumn:
		return affinity == "BLOB"
	case batch.TimeColumn:
		return affinity != "INTEGER" && affinity != "REAL"
	}
	return affinity == "TEXT" || affinity == "BLOB"
}

func sqliteAffinity(databaseType string) string {
	name := strings.ToUpper(databaseType)
	contains := func(part string) bool { return strings.Contains(name, part) }
	switch {
	case contains("INT"):
		return "INTEGER"
	case slices.ContainsFunc([]string{"CHAR", "CLOB", "TEXT"}, contains):
		return "TEXT"
	case name == "", contains("BLOB"):
		return "BLOB"
	case slices.ContainsFunc([]string{"REAL", "FLOAT", "DOUBLE"}, contains):
		return "REAL"
	}
	return "NUMERIC"
}

func describeSQLite(ctx context.Context, s *session, n name) (*existing, error) {
	e, keys := &existing{}, []string{}
	err := s.each(ctx, `SELECT name, type, "notnull" AND dflt_value IS NULL AND hidden = 0, pk
		FROM pragma_table_xinfo(?1, ?2)`,
		func(rows *sql.Rows) error {
			var c existingColumn
			var key int
			err := rows.Scan(&c.name, &c.databaseType, &c.required, &key)
			e.columns = append(e.columns, c)
			if key > 0 {
				keys = append(keys, c.name)
			}
			return err
		}, n.table, schemaOr(n, "main"))
	if err != nil || len(e.columns) == 0 {
		return nil, err
	}
	if len(keys) == 1 {
		e.unique = keys
	}
	err = s.each(ctx, `SELECT min(c.name) FROM pragma_index_list(?1, ?2) AS i, pragma_index_info(i.name, ?2) AS c
		WHERE i."unique" AND NOT i.partial GROUP BY i.name HAVING count(*) = 1 AND min(c.name) IS NOT NULL`,
		func(rows *sql.Rows) error {
			var unique string
			err := rows.Scan(&unique)
			e.unique = append(e.unique, unique)
			return err
		}, n.table, schemaOr(n, "main"))
	return e, err
}

func schemaOr(n name, schema string) string {
	if n.schema != "" {
		return n.schema
	}
	return schema
}

// lockSQLite keeps a database of its own beside the file locked for as long as the session lasts: SQLite's own locks last
// for a transaction only, and those of a process end with it. That file stays behind, since to remove it could free a lock
// that another run has just taken.
func lockSQLite(ctx context.Context, s *session, n name) error {
	var file sql.NullString
	err := s.conn.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = ?1`, schemaOr(n, "main")).Scan(&file)
	if err != nil {
		return err
	}
	if file.String != "" { // one in memory is nobody else's
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(strings.ToLower(n.table)))
		lock := fmt.Sprintf("%s.gluepipe-%08x.lock", file.String, hash.Sum32())
		err := s.exec(ctx,
			`PRAGMA busy_timeout = 1000`,
			`ATTACH DATABASE `+literal(lock)+` AS gluepipe_lock`,
			`PRAGMA gluepipe_lock.locking_mode = EXCLUSIVE`,
			`PRAGMA gluepipe_lock.journal_mode = MEMORY`,
			`PRAGMA gluepipe_lock.user_version = 1`, // what is written takes the lock
		)
		switch {
		case isBusy(err):
			return errInUse
		case err != nil:
			return fmt.Errorf("locking it by %s: %w", lock, err)
		}
	}
	return s.exec(ctx, `PRAGMA busy_timeout = 10000`)
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
