package stages

import "github.com/gluepipe/gluepipe/stages/ids"

// idSet has the ids of a run, to notice those that come twice.
type idSet struct{ ids *ids.Set }

func newIDSet() *idSet { return &idSet{ids.NewSet()} }

// add returns false if the id is in the set already.
func (s *idSet) add(id string) bool { return s.ids.Add(id) }
