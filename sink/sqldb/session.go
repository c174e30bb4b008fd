package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

var errInUse = errors.New("another run is writing it: wait for its end, or choose another table")

// session is a connection that belongs to an output alone, with its lock and its statements. The lock is the connection's, so
// that nothing is written without it.
type session struct {
	conn     *sql.Conn
	prepared map[int]*sql.Stmt // upserts, by the number of their rows
}

func newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, prepared: make(map[int]*sql.Stmt)}, nil
}

// close ends the connection rather than giving it back, since it has a lock and settings of its own.
func (s *session) close() {
	for _, statement := range s.prepared {
		_ = statement.Close()
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}

// each calls f with every row of a query.
func (s *session) each(ctx context.Context, query string, f func(rows *sql.Rows) error, args ...any) error {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *session) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// rollback takes back what wasn't committed, also when ctx has ended. ok tells whether the session is still good.
func (s *session) rollback(ctx context.Context) (ok bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.exec(ctx, "ROLLBACK") == nil
}

// connect opens a session that has the table's lock, in place of one that was lost.
func (o *Output) connect(ctx context.Context) error {
	if o.session != nil {
		return nil
	}
	s, err := newSession(ctx, o.db)
	if err != nil {
		return err
	}
	if err := o.dialect.lock(ctx, s, o.name); err != nil {
		s.close()
		return err
	}
	o.session = s
	return nil
}
