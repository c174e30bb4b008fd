package h1

import "compress/gzip"

// unzipped is a body that the server compressed, as it was before.
type unzipped struct {
	from *body
	zip  *gzip.Reader
	err  error // of the last Read
}

func (u *unzipped) Read(p []byte) (n int, err error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.zip == nil {
		if u.zip, u.err = gzip.NewReader(u.from); u.err != nil {
			return 0, u.err
		}
	}
	n, u.err = u.zip.Read(p)
	return n, u.err
}

func (u *unzipped) Close() error { return u.from.Close() }
