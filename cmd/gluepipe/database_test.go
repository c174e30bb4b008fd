package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAQueryChangesNothing(t *testing.T) {
	inTempDir(t, nil)
	makeDatabase(t, "shop.db")
	count := func() (n int) {
		db, err := sql.Open("sqlite", "shop.db")
		require.NoError(t, err)
		defer db.Close()
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM reviews WHERE stars <> 3").Scan(&n))
		return n
	}
	for _, query := range []string{
		"DELETE FROM reviews", "SELECT id FROM reviews; DROP TABLE reviews", "UPDATE reviews SET stars = 3 RETURNING id",
	} {
		for _, output := range []string{"out.jsonl", "shop.db"} {
			got := gluepipe(t, "", nil, "run", "shop.db", "--query", query, "--id-column", "id", "--prompt", "x",
				"--model", "mock:echo", "-o", output)
			require.Equal(t, exitBroken, got.code, got.stderr)
			require.Contains(t, got.stderr, "readonly database")
			require.Equal(t, 2, count(), query)
		}
	}
}

func TestReadingADatabaseLeavesItAsItIs(t *testing.T) {
	inTempDir(t, nil)
	makeDatabase(t, "shop.db")
	before := read(t, "shop.db")
	got := gluepipe(t, "", nil, "run", "shop.db", "--query", "SELECT * FROM reviews", "--id-column", "id", "--prompt", "x",
		"--model", "mock:echo", "-o", "out.jsonl")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Equal(t, before, read(t, "shop.db"))
	files, err := filepath.Glob("shop.db*")
	require.NoError(t, err)
	require.Equal(t, []string{"shop.db"}, files)
}

func TestADatabaseToReadMustExist(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, "", nil, "run", "shop.db", "--query", "SELECT 1 AS id", "--id-column", "id", "--prompt", "x",
		"--model", "mock:echo")
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, "shop.db: no such file")
	require.NoFileExists(t, "shop.db")
}

func TestResultsAndFailuresGoIntoTwoDatabases(t *testing.T) {
	inTempDir(t, map[string]string{"in.csv": reviewsCSV})
	for output, errors := range map[string]string{
		"out.db": "sqlite:./out.db", "postgres://127.0.0.1:1/shop": "postgres://127.0.0.1:1/shop",
	} {
		got := gluepipe(t, "", nil, "run", "in.csv", "--prompt", "x", "--model", "mock:echo", "-o", output, "--errors", errors)
		require.Equal(t, exitUsage, got.code, got.stderr)
		require.Contains(t, got.stderr, "is written by --output already")
	}
	got := gluepipe(t, "", nil, "run", "in.csv", "--prompt", "{{.review}}", "--model", "mock:echo", "-o", "out.db",
		"--errors", "bad.db", "--max-line-bytes", "30")
	require.Equal(t, exitFailures, got.code, got.stderr)
	require.Contains(t, got.stderr, "results: out.db, table results\nfailed results: bad.db, table results\n")
}

func TestDatabasesHaveAnyName(t *testing.T) {
	for i, name := range []string{"a b.db", "50%25.db", "what?.db", "#1.db", "it's \"it\".db", "ü.db", "a&mode=ro.db", "\xff.db"} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			dir := inTempDir(t, map[string]string{"in.csv": reviewsCSV})
			got := gluepipe(t, "", nil, "run", "in.csv", "--prompt", "x", "--model", "mock:echo", "-o", name)
			require.Equal(t, exitOK, got.code, got.stderr)
			require.FileExists(t, name)
			path := filepath.Join(dir, name)
			for _, address := range []string{name, "sqlite:" + name, path, "sqlite://" + path} {
				got = gluepipe(t, "", nil, "run", address, "--query", "SELECT * FROM results", "--id-column", "id", "--prompt", "x",
					"--model", "mock:echo")
				require.Equal(t, exitOK, got.code, got.stderr)
				require.Len(t, results(t, got.stdout), 3)
			}
			files, err := os.ReadDir(".")
			require.NoError(t, err)
			require.Len(t, files, 3, "in.csv, the database and its lock: %v", files)
		})
	}
}

func TestTheAddressOfADatabaseIsToldWithoutItsSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://me:secret@db:5432/shop":                  "db:5432/shop",
		"postgresql:///shop?host=db&password=secret&user=me": "db/shop",
		"postgres://me:se%zzcret@db/shop":                    "postgres://...",
		"postgres:password=secret host=db":                   "postgres://...",
		"postgres://?password=secret":                        "postgres://...",
		"sqlite:shop.db":                                     "sqlite:shop.db",
		"C:\\data\\shop.db":                                  "C:\\data\\shop.db",
	} {
		require.Equal(t, want, databaseName(address), address)
	}
	inTempDir(t, map[string]string{"in.csv": reviewsCSV})
	for _, address := range []string{
		"postgres://me:secret@127.0.0.1:1/shop", "postgres:password=secret host=127.0.0.1",
		"postgresql:///shop?host=127.0.0.1&port=1&password=secret", "host=127.0.0.1 password=secret", "password='secret'",
	} {
		for _, args := range [][]string{
			{address, "--query", "SELECT 1 AS id", "--id-column", "id", "--prompt", "x"},
			{address, "--prompt", "x"},
			{"in.csv", "--prompt", "x", "-o", address + "/x"},
			{"in.csv", "--prompt", "x", "-o", address, "--errors", address},
		} {
			got := gluepipe(t, "", nil, append([]string{"run", "--model", "mock:echo"}, args...)...)
			require.NotEqual(t, exitOK, got.code)
			require.NotContains(t, got.stderr, "secret", args)
			require.NotContains(t, commandLine(args), "secret")
		}
	}
}

func TestAnAnswerThatATableRefusesIsAFailureOfTheRun(t *testing.T) {
	inTempDir(t, map[string]string{"in.txt": "good\n"})
	run := []string{"run", "in.txt", "-o", "out.db", "--table", "answers", "--model", "mock:echo"}
	got := gluepipe(t, "", nil, run...)
	require.Equal(t, exitOK, got.code, got.stderr)
	db, err := sql.Open("sqlite", "out.db")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TRIGGER refuses BEFORE INSERT ON answers WHEN NEW.response = 'bad'
		BEGIN SELECT RAISE(ABORT, 'no bad ones'); END`)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("in.txt", []byte("good\nbad\nfine\n"), 0o600))

	got = gluepipe(t, "", nil, run...)
	require.Equal(t, exitFailures, got.code, got.stderr)
	require.Contains(t, got.stderr, "out.db, table answers: refused 1 answer, which it has as failures: the column error tells why")
	require.Contains(t, got.stderr, "StageError")
	var failed, all int
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT sum(NOT success), count(*) FROM answers`).Scan(&failed, &all))
	require.Equal(t, []int{1, 3}, []int{failed, all})
}
