package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func postgresDialect() *dialect {
	return &dialect{
		name: "Postgres", maxParameters: 65_535, maxIdentifier: 63, begin: "BEGIN",
		types: [...]string{
			batch.TextColumn: "text", batch.IntColumn: "bigint", batch.FloatColumn: "double precision",
			batch.BoolColumn: "boolean", batch.TimeColumn: "timestamptz", batch.BytesColumn: "bytea",
			batch.VectorColumn: "real[]", batch.JSONColumn: "jsonb",
		},
		placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		parameter:   postgresParameter, fits: postgresFits, describe: describePostgres, lock: lockPostgres,
	}
}

// postgresParameter gives numbers and times as texts: then it is the server that says whether they are out of range, and
// decimals keep their digits.
func postgresParameter(c column, value any) any {
	switch v := value.(type) {
	case string:
		return storable(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		return v.String()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case json.RawMessage:
		return storableJSON(v)
	case []float32:
		if strings.HasPrefix(c.databaseType, "_") {
			return vectorText(v, '{', '}')
		}
		return vectorText(v, '[', ']')
	}
	return value
}

// postgresFits knows the types by the names that pg_type has for them: _ begins that of an array. vector is pgvector's.
func postgresFits(t batch.ColumnType, databaseType string) bool {
	return slices.Contains(map[batch.ColumnType][]string{
		batch.TextColumn: {
			"text", "varchar", "bpchar", "citext", "uuid", "date", "time", "timetz", "interval", "inet", "cidr", "macaddr", "xml",
			"enum",
		},
		batch.IntColumn:    {"int8", "int4", "int2", "numeric"},
		batch.FloatColumn:  {"float8", "float4", "numeric"},
		batch.BoolColumn:   {"bool"},
		batch.TimeColumn:   {"timestamptz", "timestamp"},
		batch.BytesColumn:  {"bytea"},
		batch.VectorColumn: {"_float4", "_float8", "vector", "halfvec", "jsonb", "json"},
		batch.JSONColumn:   {"jsonb", "json", "text"},
	}[t], databaseType)
}

func describePostgres(ctx context.Context, s *session, n name) (*existing, error) {
	var found sql.NullString
	if err := s.conn.QueryRowContext(ctx, `SELECT to_regclass($1)::text`, n.sql()).Scan(&found); err != nil || !found.Valid {
		return nil, err
	}
	e := &existing{}
	err := s.each(ctx, `SELECT a.attname, CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname END,
			a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
		FROM pg_attribute a
		JOIN pg_type of ON of.oid = a.atttypid
		JOIN pg_type t ON t.oid = CASE of.typtype WHEN 'd' THEN of.typbasetype ELSE of.oid END
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
		func(rows *sql.Rows) error {
			var c existingColumn
			err := rows.Scan(&c.name, &c.databaseType, &c.required)
			e.columns = append(e.columns, c)
			return err
		}, n.sql())
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, `SELECT a.attname FROM pg_index i
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
			AND i.indnkeyatts = 1`,
		func(rows *sql.Rows) error {
			var unique string
			err := rows.Scan(&unique)
			e.unique = append(e.unique, unique)
			return err
		}, n.sql())
	return e, err
}

// lockKey is the upper half of our advisory locks' keys; the table's number is the lower.
const lockKey = 0x676c7565

// lockPostgres takes a lock that lasts as long as the session: a run that dies leaves none. It waits a little, since a server
// may have to notice the death first.
func lockPostgres(ctx context.Context, s *session, n name) error {
	if err := s.exec(ctx, "BEGIN", "SET LOCAL lock_timeout = '2s'"); err != nil {
		return err
	}
	var locked sql.NullString
	err := s.conn.QueryRowContext(ctx, `SELECT pg_advisory_lock($1::bigint << 32 | to_regclass($2)::oid::bigint)::text`,
		lockKey, n.sql()).Scan(&locked)
	switch {
	case sqlState(err) == "55P03": // lock_not_available
		return errInUse
	case err != nil:
		return err
	case !locked.Valid:
		return errors.New("the table is gone")
	}
	return s.exec(ctx, "COMMIT")
}
