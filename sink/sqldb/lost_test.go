package sqldb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// terminate ends the connections of all others to the schema's tables, as an administrator or a failover does.
func terminate(t *testing.T, db *database) {
	t.Helper()
	db.exec(t, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.objid = 'results'::regclass::oid AND l.pid <> pg_backend_pid()`)
}

func TestAConnectionThatIsLostIsReplacedAndNothingIsLostWithIt(t *testing.T) {
	db := postgres(t)
	o := db.open(t)
	for i := range 20 {
		write(t, o, success(fmt.Sprint("a", i), "x"), success(fmt.Sprint("b", i), "x"))
		if i%5 == 2 {
			terminate(t, db)
		}
	}
	require.Equal(t, []string{"40"}, db.column(t, `SELECT count(*) FROM results`))
	_, err := sqldb.Open(t.Context(), db.DB, db.options(t))
	require.ErrorContains(t, err, "another run is writing it", "the new connection has the lock again")
}

func TestAConnectionThatIsLostWithinATransactionLeavesAllOfItOrNothing(t *testing.T) {
	db := postgres(t)
	o := db.open(t)
	// The first row of this batch ends the connection that it is written by.
	db.exec(t, `CREATE SEQUENCE tries`,
		`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF new.id = 'deadly' AND nextval('tries') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
				RETURN new;
			END $$`,
		`CREATE TRIGGER dies BEFORE INSERT ON results FOR EACH ROW EXECUTE FUNCTION die()`)
	write(t, o, success("first", "x"), success("deadly", "x"), success("last", "x"))
	require.Equal(t, []string{"deadly", "first", "last"}, db.column(t, `SELECT id FROM results ORDER BY id`))
	require.Zero(t, o.Refused())
}

func TestATableThatAnotherRunHasTakenMeanwhileIsNotWritten(t *testing.T) {
	db := postgres(t)
	first := db.open(t)
	write(t, first, success("a", "x"))
	terminate(t, db)
	second, err := sqldb.Open(t.Context(), db.DB, db.options(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = second.Close(context.Background()) })
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- first.Write(ctx, []*batch.Result{success("b", "x")}) }()
	write(t, second, success("c", "x"))
	cancel()
	require.Error(t, <-failed)
	require.Equal(t, []string{"a", "c"}, db.column(t, `SELECT id FROM results ORDER BY id`))
}

func TestASerializationFailureIsTriedAgain(t *testing.T) {
	db := postgres(t)
	o := db.open(t)
	db.exec(t, `CREATE SEQUENCE tries`,
		`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF nextval('tries') < 3 THEN RAISE SQLSTATE '40001'; END IF;
				RETURN new;
			END $$`,
		`CREATE TRIGGER fails BEFORE INSERT ON results FOR EACH ROW EXECUTE FUNCTION fail()`)
	write(t, o, success("a", "x"))
	require.Equal(t, []string{"a"}, db.column(t, `SELECT id FROM results`))
}

func TestATransactionOfAnotherIsWaitedForInSQLite(t *testing.T) {
	db := sqlite(t)
	o := db.open(t)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`)
	require.NoError(t, err)
	failed := make(chan error)
	go func() { failed <- o.Write(context.Background(), []*batch.Result{success("a", "x")}) }()
	_, err = conn.ExecContext(t.Context(), `COMMIT`)
	require.NoError(t, err)
	require.NoError(t, <-failed)
	require.Equal(t, []string{"a"}, db.column(t, `SELECT id FROM results`))
}
