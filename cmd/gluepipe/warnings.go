package main

import (
	"maps"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxWarnings bounds what a file of another shape makes us say.
const maxWarnings = 20

// fieldWarnings tells, once a field name, of fields in requests that are not sent. It is for one goroutine.
type fieldWarnings struct {
	warn func(format string, args ...any)
	seen map[string]bool
}

func newFieldWarnings(warn func(format string, args ...any)) *fieldWarnings {
	return &fieldWarnings{warn: warn, seen: map[string]bool{}}
}

func (w *fieldWarnings) look(item *batch.Item) {
	if item.Request == nil || len(item.Request.Extra) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(item.Request.Extra)) {
		if w.seen[name] || len(w.seen) > maxWarnings {
			continue
		}
		w.seen[name] = true
		if len(w.seen) > maxWarnings {
			w.warn("%s: there are more fields that are not part of a request; they are not listed", item.Origin)
			return
		}
		w.warn(`%s: field %q is not part of a request and is not sent; fields of the body go into "params"`, item.Origin, name)
	}
}
