package main

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `3 of 3 reviews have a label, 0 of them from an earlier run
1: SENTIMENT (urgent: URGENT) The tent leaks!
2: SENTIMENT (urgent: URGENT) Light, and up in two minutes.
3: SENTIMENT (urgent: URGENT) Arrived late; it's fine otherwise.
`

// labelled replaces what the mock chose.
func labelled(output string) string {
	return strings.NewReplacer("positive", "SENTIMENT", "negative", "SENTIMENT", "neutral", "SENTIMENT",
		"urgent: true", "urgent: URGENT", "urgent: false", "urgent: URGENT").Replace(output)
}

func TestWithoutAPostgresTheExampleRunsOnSQLite(t *testing.T) {
	exampletest.WithoutKey(t)
	t.Setenv("GLUEPIPE_TEST_POSTGRES", "")
	t.Setenv("DATABASE_URL", "")
	require.Equal(t, "no DATABASE_URL of a Postgres: this is SQLite\n"+want, labelled(exampletest.Output(t, run)))
}

func TestASecondRunOnPostgresAsksForNothing(t *testing.T) {
	address := os.Getenv("GLUEPIPE_TEST_POSTGRES")
	if address == "" {
		t.Skip("GLUEPIPE_TEST_POSTGRES names no server")
	}
	db, err := sql.Open("pgx", address)
	require.NoError(t, err)
	defer db.Close()
	clean := func() {
		_, err := db.Exec(`DROP TABLE IF EXISTS gluepipe_example_reviews, gluepipe_example_labels`)
		require.NoError(t, err)
	}
	clean()
	defer clean()
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, labelled(exampletest.Output(t, run)))
	require.Equal(t, 3, server.Stats().Requests)
	require.Equal(t, strings.Replace(want, "0 of them", "3 of them", 1), labelled(exampletest.Output(t, run)))
	require.Equal(t, 3, server.Stats().Requests)
}
