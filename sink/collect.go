package sink

import (
	"iter"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// CollectRecords makes Records of results that are kept in something else than a file of this package, a table of a
// database say. place names it in errors. Of a result, its id, fingerprint and counts are taken, as [ReadRecord] returns
// them; where an id comes more than once, the last counts for Done. An error of results is returned.
//
// A [ChangedError] of these Records doesn't know the earlier fingerprint.
func CollectRecords(place string, results iter.Seq2[*batch.Result, error]) (*Records, error) {
	r := newRecords(place, nil)
	for result, err := range results {
		if err != nil {
			return nil, err
		}
		r.index.Add(r.index.Hash([]byte(result.ID), []byte(result.Fingerprint)))
		r.earlier.TotalRequests++
		r.earlier.Add(result)
	}
	return r, nil
}
