package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Output is a table that results are written to; see [Open]. It has the methods of a [sink.File], and is a [batch.Sink].
type Output struct {
	db      *sql.DB
	dialect *dialect
	name    name
	table   *sink.Table
	columns []column
	session *session // nil where the connection was lost, and once the output is closed
	closed  bool

	records  *sink.Records // of earlier runs
	recovery sink.Recovery
	inARow   int // refused results since one was accepted
	refused  atomic.Int64
}

// Path returns the table's name, as it was given.
func (o *Output) Path() string { return o.name.given }

// Earlier returns the counts of the rows that were in the table when it was opened, but for the failed ones that are to be
// done again. TotalRequests is the number of these rows.
func (o *Output) Earlier() batch.Summary { return o.records.Earlier() }

// Recovered tells what was found when the table was opened: how many failed rows are to be done again.
func (o *Output) Recovered() sink.Recovery { return o.recovery }

// Refused returns the number of successes that the table refused as they are, and that stand in it as failures; see the
// package's documentation. A run's summary counts them as successes. It is safe for concurrent use.
func (o *Output) Refused() int { return int(o.refused.Load()) }

// Done tells whether the table had a row of this id when it was opened. It is a [*sink.ChangedError] if that row belongs to
// another request: if both have a fingerprint, and these differ. Done is safe for concurrent use.
func (o *Output) Done(id, fingerprint string) (bool, error) {
	done, err := o.records.Done(id, fingerprint)
	if changed, ok := errors.AsType[*sink.ChangedError](err); ok {
		o.lookUp(changed)
	}
	return done, err
}

// maxLookUp bounds the wait for another connection: there may be none to be had before the run has ended.
const maxLookUp = time.Second

// lookUp completes an error with what the index of the rows doesn't keep.
func (o *Output) lookUp(changed *sink.ChangedError) {
	ctx, cancel := context.WithTimeout(context.Background(), maxLookUp)
	defer cancel()
	var earlier sql.NullString
	var success bool
	row := o.db.QueryRowContext(ctx, o.selectOne(), changed.ID)
	if row.Scan(&earlier, &success) == nil {
		changed.Earlier, changed.Failed = earlier.String, !success
	}
}

// Close gives the connection and the lock back. The table and the database stay as they are; the database is the caller's to
// close.
func (o *Output) Close(context.Context) error {
	o.closed = true
	o.drop()
	return nil
}

// drop ends the session, if there is one.
func (o *Output) drop() {
	if o.session != nil {
		o.session.close()
		o.session = nil
	}
}
