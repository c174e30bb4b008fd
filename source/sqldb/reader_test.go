package sqldb_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/source/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

var _ source.RowReader = (*sqldb.Reader)(nil)

func TestAQueryIsASourceOfRows(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
			exec(t, db, `DROP TABLE IF EXISTS requests`, `CREATE TABLE requests (n integer, request text)`)
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			for i, request := range requests {
				text, err := json.Marshal(request)
				require.NoError(t, err)
				_, err = tx.ExecContext(t.Context(), `INSERT INTO requests VALUES ($1, $2)`, i, string(text))
				require.NoError(t, err)
			}
			require.NoError(t, tx.Commit())
			r, err := sqldb.Query(t.Context(), db, `SELECT request FROM requests ORDER BY n`)
			require.NoError(t, err)
			return &rowSource{r}
		})
	})
}

// rowSource makes requests of their JSON.
type rowSource struct{ *sqldb.Reader }

func (s *rowSource) Next(ctx context.Context) (*batch.Item, error) {
	row, err := s.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	request := &batch.Request{}
	if err := json.Unmarshal([]byte(row.Values[0].(string)), request); err != nil {
		return nil, err
	}
	return &batch.Item{Request: request, Origin: row.Unit + " " + strconv.Itoa(row.Number)}, nil
}

func TestArgumentsAreValuesNotSQL(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		exec(t, db, `CREATE TABLE things (name text)`, `INSERT INTO things VALUES ('x''; DROP TABLE things; --')`)
		r := query(t, db, `SELECT name FROM things WHERE name = $1`, `x'; DROP TABLE things; --`)
		require.Equal(t, `x'; DROP TABLE things; --`, next(t, r).Value("name"))
		requireEnd(t, r)
	})
}

func TestColumnsWithoutANameOrTwiceAreRefused(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		_, err := sqldb.Query(t.Context(), db, `SELECT 1 AS a, 2 AS a`)
		require.EqualError(t, err, `query: there are two columns "a": rename one with AS`)
		_, err = sqldb.Query(t.Context(), db, `SELECT 1 AS a, 2 AS "?column?"`)
		require.EqualError(t, err, `query: column 2 has no name: give it one with AS`)
	})
}

func TestAQueryThatIsWrongSaysSoAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		_, err := sqldb.Query(t.Context(), db, `SELECT * FROM nothing`)
		require.ErrorContains(t, err, "query: ")
		require.ErrorContains(t, err, "nothing")
		_, err = sqldb.Query(t.Context(), db, `CREATE TABLE a (b int)`)
		require.EqualError(t, err, "query: it returns no rows: want a SELECT")
	})
}

func TestAnErrorInTheMidstOfAQueryNamesTheRow(t *testing.T) {
	r := query(t, postgres(t), `SELECT 10 / (3 - n) AS q FROM generate_series(1, 5) AS n`)
	next(t, r)
	next(t, r)
	for range 2 {
		_, err := r.Next(t.Context())
		require.ErrorContains(t, err, "query: row 3: ")
		require.ErrorContains(t, err, "division by zero")
	}
}

func TestAManifoldOfRowsIsStreamed(t *testing.T) {
	const count = 100_000
	each(t, func(t *testing.T, db *sql.DB) {
		r := query(t, db, `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
			SELECT n AS id, 'a text of a row' AS body FROM numbers`)
		for i := range count {
			require.Equal(t, i+1, next(t, r).Number)
		}
		requireEnd(t, r)
		require.Zero(t, db.Stats().InUse, "the connection is given back at the end")
	})
}

// blocked returns a query that goes on for ever without a row, after some that are enough for a server to send any.
// SQLite's driver can't be stopped there.
func blocked(t *testing.T, db *sql.DB) *sqldb.Reader {
	t.Helper()
	r := query(t, db, `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
		SELECT n, repeat('x', 1000) AS body FROM numbers WHERE n <= 20 OR n < 0`)
	next(t, r)
	return r
}

// readAll reads in the background and tells how it ended.
func readAll(ctx context.Context, r *sqldb.Reader) <-chan error {
	failed := make(chan error)
	go func() {
		for {
			if _, err := r.Next(ctx); err != nil {
				failed <- err
				return
			}
		}
	}()
	return failed
}

func TestAContextThatEndsEndsABlockedNext(t *testing.T) {
	db := postgres(t)
	r := blocked(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // by then it is blocked, as a rule
	defer cancel()
	require.ErrorIs(t, <-readAll(ctx, r), context.DeadlineExceeded)
	_, err := r.Next(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded, "nothing more comes")
	require.NoError(t, r.Close())
	require.NoError(t, db.PingContext(t.Context()))
}

func TestClosingEndsABlockedNextAndLeavesTheDatabaseOpen(t *testing.T) {
	db := postgres(t)
	r := blocked(t, db)
	failed := readAll(context.Background(), r)
	require.NoError(t, r.Close())
	err := <-failed
	require.Error(t, err)
	require.NotEqual(t, io.EOF, err, "the rows are not at their end")
	require.NoError(t, r.Close())
	require.NoError(t, db.PingContext(t.Context()))
}

func TestClosingBeforeTheEndGivesTheConnectionBack(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		r := query(t, db, `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT n FROM numbers`)
		next(t, r)
		require.NoError(t, r.Close())
		require.Zero(t, db.Stats().InUse)
		_, err := r.Next(t.Context())
		require.Error(t, err)
		require.NotEqual(t, io.EOF, err)
	})
}

func TestAPasswordStandsInNoError(t *testing.T) {
	db := open(t, "pgx", "postgres://me:hunter2@127.0.0.1:1/shop?sslmode=disable")
	_, err := sqldb.Query(t.Context(), db, `SELECT 1 AS a`)
	require.ErrorContains(t, err, "query: ")
	require.NotContains(t, err.Error(), "hunter2")
}
