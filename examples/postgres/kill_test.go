package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	sinkdb "github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/source"
	sourcedb "github.com/gluepipe/gluepipe/source/sqldb"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// childServer is the variable that makes the test's program a run that is to be killed.
const childServer = "GLUEPIPE_EXAMPLE_SERVER"

func TestMain(m *testing.M) {
	if server := os.Getenv(childServer); server != "" {
		if err := copyRows(context.Background(), server, os.Getenv("DRIVER"), os.Getenv("DSN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// copyRows asks for each row of the table questions, and writes the answers to the table answers of the same database.
func copyRows(ctx context.Context, server, driver, dsn string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	dialect := map[string]sinkdb.Dialect{"pgx": sinkdb.Postgres, "sqlite": sinkdb.SQLite}[driver]
	rows, err := sourcedb.Query(ctx, db, `SELECT id, body FROM questions`)
	if err != nil {
		return err
	}
	requests, err := source.Rows(rows, source.RowOptions{Prompt: "{{.body}}", IDColumn: "id"})
	if err != nil {
		return err
	}
	table, err := sink.NewTable(sink.TableOptions{Row: rows.Columns()})
	if err != nil {
		return err
	}
	answers, err := sinkdb.Open(ctx, db, sinkdb.Options{Dialect: dialect, Name: "answers", Table: table})
	if err != nil {
		return err
	}
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model: "vllm:echo", BaseURL: server, MaxConcurrent: 8, FixedPace: true,
	})
	if err != nil {
		return err
	}
	defer processor.Close()
	_, err = processor.Run(ctx, requests, answers)
	return err
}

func TestNothingThatWasCommittedIsAskedAgainAfterAKill(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		killAgainAndAgain(t, "sqlite", sinkdb.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
	})
	t.Run("Postgres", func(t *testing.T) {
		address := os.Getenv("GLUEPIPE_TEST_POSTGRES")
		if address == "" {
			t.Skip("GLUEPIPE_TEST_POSTGRES names no server")
		}
		admin, err := sql.Open("pgx", address)
		require.NoError(t, err)
		defer admin.Close()
		const schema = "gluepipe_example_kill"
		drop := func() {
			_, err := admin.ExecContext(context.Background(), `DROP SCHEMA IF EXISTS `+schema+` CASCADE`)
			require.NoError(t, err)
		}
		drop()
		defer drop()
		_, err = admin.ExecContext(t.Context(), `CREATE SCHEMA `+schema)
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		query := u.Query()
		query.Set("search_path", schema)
		u.RawQuery = query.Encode()
		killAgainAndAgain(t, "pgx", u.String())
	})
}

func killAgainAndAgain(t *testing.T, driver, dsn string) {
	t.Helper()
	const count, kills = 600, 5
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE questions (id text PRIMARY KEY, body text)`)
	require.NoError(t, err)
	values := make([]string, count)
	for i := range values {
		values[i] = fmt.Sprintf("('q%d', 'question %d')", i, i)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO questions VALUES `+strings.Join(values, ", "))
	require.NoError(t, err)

	var calls sync.Map // the prompts that were asked since the last kill
	var asked, killAt atomic.Int64
	reached := make(chan struct{}, 1)
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		calls.Store(r.Prompt(), true)
		if asked.Add(1) == killAt.Load() {
			reached <- struct{}{}
		}
		return nil
	}})
	start := func() (*exec.Cmd, *strings.Builder) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childServer+"="+server.BaseURL(), "DRIVER="+driver, "DSN="+dsn)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		return cmd, &stderr
	}
	committed := map[string]bool{}
	requireNoneAskedAgain := func() {
		t.Helper()
		calls.Range(func(prompt, _ any) bool {
			require.False(t, committed[prompt.(string)], "%s was committed and is asked again", prompt)
			return true
		})
		calls.Clear()
	}
	for kill := range kills {
		asked.Store(0)
		killAt.Store(1 + rand.Int64N(2*count/kills/3))
		cmd, _ := start()
		<-reached
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		requireNoneAskedAgain()
		committed = answered(t, db)
		t.Logf("kill %d after %d calls: %d committed", kill+1, asked.Load(), len(committed))
	}
	cmd, stderr := start()
	require.NoError(t, cmd.Wait(), "%s", stderr)
	requireNoneAskedAgain()
	require.Len(t, answered(t, db), count)
}

// answered returns the questions that have their answer, which each has once.
func answered(t *testing.T, db *sql.DB) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	rows, err := db.QueryContext(t.Context(), `SELECT body, response, success FROM answers`)
	if err != nil {
		require.Regexp(t, "no such table|does not exist", err.Error()) // killed before it was created
		return found
	}
	defer rows.Close()
	for rows.Next() {
		var body, response string
		var success bool
		require.NoError(t, rows.Scan(&body, &response, &success))
		require.True(t, success)
		require.Equal(t, body, response)
		require.False(t, found[body], "%s stands twice", body)
		found[body] = true
	}
	require.NoError(t, rows.Err())
	return found
}
