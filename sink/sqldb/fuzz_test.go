package sqldb

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzQuote makes a table of any name, with a column of any name: that is all that the statement does.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"results", `a"b`, `x"; DROP TABLE t; --`, "ü", "'", "?1", "$1", "a b", "select", `""`, "\\", "[a]"} {
		f.Add(seed, seed)
	}
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	db.SetMaxOpenConns(1)
	f.Fuzz(func(t *testing.T, table, column string) {
		for _, identifier := range []string{table, column} {
			if sqliteDialect().checkIdentifier(identifier) != nil || !utf8.ValidString(identifier) {
				return
			}
		}
		if strings.HasPrefix(strings.ToLower(table), "sqlite_") {
			return // SQLite's own
		}
		_, err := db.ExecContext(t.Context(), "CREATE TABLE "+quote(table)+" ("+quote(column)+" TEXT)")
		require.NoError(t, err)
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT group_concat(name) FROM sqlite_master`).Scan(&got))
		require.Equal(t, table, got)
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT name FROM pragma_table_info(?1)`, table).Scan(&got))
		require.Equal(t, column, got)
		_, err = db.ExecContext(t.Context(), "DROP TABLE "+quote(table))
		require.NoError(t, err)
	})
}

// FuzzStorableJSON makes any JSON storable: it stays what it was, but for what can't be stored.
func FuzzStorableJSON(f *testing.F) {
	for _, seed := range []string{`"\u0000"`, `"\\u0000"`, `"\ud800"`, `"\ud83d\ude00"`, `"\ude00\ud83d"`, `{"\u0000":[1.50,null]}`, `"é\""`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) || !utf8.Valid(raw) {
			return
		}
		text := storableJSON(raw)
		var want, got any
		require.NoError(t, json.Unmarshal([]byte(text), &got), "%q", text)
		require.NoError(t, json.Unmarshal(raw, &want))
		require.Equal(t, withoutZeros(want), got)
	})
}

func withoutZeros(value any) any {
	switch v := value.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", replacement)
	case []any:
		for i := range v {
			v[i] = withoutZeros(v[i])
		}
	case map[string]any:
		clean := make(map[string]any)
		for key, member := range v {
			clean[strings.ReplaceAll(key, "\x00", replacement)] = withoutZeros(member)
		}
		return clean
	}
	return value
}
