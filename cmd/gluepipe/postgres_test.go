package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// postgres returns the address of a new schema on the server that GLUEPIPE_TEST_POSTGRES names, and a connection to it.
// Without a server the test is skipped.
func postgres(t *testing.T) (address string, db *sql.DB) {
	t.Helper()
	server := os.Getenv("GLUEPIPE_TEST_POSTGRES")
	if server == "" {
		t.Skip("GLUEPIPE_TEST_POSTGRES names no server")
	}
	schema := fmt.Sprintf("run_%08x", rand.Uint32())
	u, err := url.Parse(server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	db, err = sql.Open("pgx", u.String())
	require.NoError(t, err)
	execute(t, db, "CREATE SCHEMA "+schema)
	t.Cleanup(func() {
		execute(t, db, "DROP SCHEMA "+schema+" CASCADE")
		require.NoError(t, db.Close())
	})
	return u.String(), db
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), statement)
	require.NoError(t, err, statement)
}

// answered returns the responses in the table labels by their ids, which tell the rows apart. There are none before the table.
func answered(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	var table sql.NullString
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT to_regclass('labels')::text").Scan(&table))
	if !table.Valid {
		return all
	}
	rows, err := db.QueryContext(t.Context(), "SELECT id::text, response FROM labels WHERE success")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, response string
		require.NoError(t, rows.Scan(&id, &response))
		require.NotContains(t, all, id)
		all[id] = response
	}
	require.NoError(t, rows.Err())
	return all
}

func TestEachRowOfAPostgresQueryIsAnsweredOnceHoweverOftenTheRunIsKilled(t *testing.T) {
	count, kills := 1500, 5
	if long() {
		count, kills = 12_000, 20
	}
	address, db := postgres(t)
	execute(t, db, "CREATE TABLE tickets (id bigint PRIMARY KEY, body text, priority int)")
	execute(t, db, fmt.Sprintf("INSERT INTO tickets SELECT n, 'ticket ' || n, n %% 4 FROM generate_series(1, %d) AS n", count))
	worst := &worstServer{reached: make(chan struct{}, 1)}
	worst.mended.Store(true)
	server := llmtest.New(t, llmtest.Config{Respond: worst.respond})
	inTempDir(t, nil)
	args := at(server, "run", address, "--query", "SELECT * FROM tickets ORDER BY id", "--id-column", "id",
		"--prompt", "prompt {{.body}}", "-o", address, "--table", "labels", "-c", "16")

	before := map[string]string{}
	requireNoneAskedAgain := func() {
		t.Helper()
		for id := range before {
			_, again := worst.asked.Load("prompt ticket " + id)
			require.False(t, again, "the row of %s was committed, and asked for again", id)
		}
	}
	for kill := range kills {
		worst.after(count/kills/3 + rand.IntN(count/kills/3)) // the server sees them before the table does
		_, stderr := signalled(t, worst.reached, os.Kill, args, false)
		requireNoneAskedAgain()
		after := answered(t, db)
		for id := range before {
			require.Contains(t, after, id, "kill %d lost a row\n%s", kill+1, stderr)
		}
		t.Logf("kill %d: %d rows are committed", kill+1, len(after))
		before = after
	}
	require.Less(t, len(before), count)

	worst.after(0)
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitOK, got.code, got.stderr)
	requireNoneAskedAgain()
	all := answered(t, db)
	require.Len(t, all, count)
	for id, response := range all {
		require.Equal(t, "prompt ticket "+id, response)
	}
	var rows, beside int
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*), count(t.id) FROM labels AS l LEFT JOIN tickets AS t
		ON l.id = t.id AND l.body = t.body AND l.priority = t.priority`).Scan(&rows, &beside))
	require.Equal(t, count, rows)
	require.Equal(t, count, beside, "rows whose own columns stand beside their answers")

	calls := server.Stats().Requests
	again := gluepipe(t, "", nil, args...)
	require.Equal(t, exitOK, again.code, again.stderr)
	require.Equal(t, calls, server.Stats().Requests, again.stderr)
}

func TestAQueryOfPostgresChangesNothing(t *testing.T) {
	address, db := postgres(t)
	execute(t, db, "CREATE TABLE tickets (id bigint PRIMARY KEY); INSERT INTO tickets VALUES (1), (2)")
	inTempDir(t, nil)
	for _, query := range []string{"DELETE FROM tickets", "DELETE FROM tickets RETURNING id"} {
		got := gluepipe(t, "", nil, "run", address, "--query", query, "--id-column", "id", "--prompt", "x", "--model", "mock:echo")
		require.Equal(t, exitBroken, got.code, got.stderr)
		require.Contains(t, got.stderr, "read-only transaction")
	}
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM tickets").Scan(&n))
	require.Equal(t, 2, n)
}
