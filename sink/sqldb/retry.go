package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// What is waited between tries doubles up to maxWait: half a minute in all.
const (
	maxTries  = 12
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// retry does f until it succeeds, fails for good, was tried often enough, or ctx ends.
func (o *Output) retry(ctx context.Context, f func() error) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := f()
		if err == nil {
			return nil
		}
		if o.session != nil && !o.session.rollback(ctx) {
			o.drop()
		}
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
		if try == maxTries || !passing(err) {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		wait = min(2*wait, maxWait)
	}
}

// passing tells whether an error may be gone a moment later: the connection is lost, the server restarts, another transaction
// is in the way. Our own lock, too: a server may not have noticed yet that the connection which had it is lost.
func passing(err error) bool {
	if state := sqlState(err); state != "" {
		return slices.Contains([]string{"08", "40"}, state[:2]) ||
			slices.Contains([]string{"53300", "55P03", "57P01", "57P02", "57P03", "57P05"}, state)
	}
	var network net.Error
	var safe interface{ SafeToRetry() bool } // pgx says so where nothing was sent
	return isBusy(err) || errors.Is(err, errInUse) || errors.As(err, &network) || errors.As(err, &safe) && safe.SafeToRetry() ||
		slices.ContainsFunc([]error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed},
			func(lost error) bool { return errors.Is(err, lost) })
}

// refusal tells whether an error is about the values of a row, rather than about the table or the connection.
func refusal(err error) bool {
	if _, ok := errors.AsType[*valueError](err); ok {
		return true
	}
	if state := sqlState(err); state != "" {
		return slices.Contains([]string{"22", "23", "44", "54"}, state[:2]) || state == "P0001" // raised by a trigger
	}
	switch sqliteCode(err) {
	case 18, 19, 20: // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH
		return true
	}
	return false
}

// sqlState returns the code of an error of Postgres, as its drivers tell it, or "".
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) && len(state.SQLState()) == 5 {
		return state.SQLState()
	}
	return ""
}

// sqliteCode returns the primary code of an error of SQLite, or 0.
func sqliteCode(err error) int {
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return code.Code() & 0xff
	}
	return 0
}

// isBusy tells that another connection is writing: SQLITE_BUSY or SQLITE_LOCKED.
func isBusy(err error) bool { return sqliteCode(err) == 5 || sqliteCode(err) == 6 }
