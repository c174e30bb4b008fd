package sqldb

import (
	"net/url"
	"path/filepath"
)

// SQLiteDSN returns the data source name of a SQLite file for the driver modernc.org/sqlite, to read it and nothing else: the
// file must be there, and no query changes it. A query waits for others for up to 10 seconds. A run that writes into the same
// file opens both by the SQLiteDSN of sink/sqldb.
func SQLiteDSN(path string) string {
	// A file that is opened as read-only would leave its -wal and -shm files behind.
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: query.Encode()}
	return file.String()
}
