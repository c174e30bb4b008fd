package stages

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

const defaultMaxToolIterations = 10

// Defaults are what a run gives to requests that don't say it themselves.
type Defaults struct {
	Model             string
	SystemPrompt      string
	Tools             []batch.Tool
	MaxToolIterations int // tool turns of one conversation; 0: 10, below 0: no bound
	Timeout           time.Duration
	Params            map[string]any
	// Schema is what the answers of chats follow that ask for no response_format of their own; nil: nothing. It is sent as the
	// response_format, and the executor checks the answers.
	Schema *Schema
	// SchemaInPrompt puts the schema into the system prompt instead. That happens anyway where the request's provider doesn't
	// take it as a response_format (llm.Provider).
	SchemaInPrompt bool
	// KeepRaw says that results keep the raw answers ([ExecutorConfig]), so that a request may ask for more than one answer or
	// embedding: the result itself has the first answer, and one embedding or none.
	KeepRaw bool
	// Fingerprints asks for Item.Fingerprint, for runs that can be continued.
	Fingerprints bool
	// Known are ids that stand in memory already, as those of an earlier run do. Requests may have them, once, and they take one
	// bit each then. nil: none are. It must not be added to any more.
	Known *ids.Index
}

func (d *Defaults) newIDs() *ids.Set {
	if d.Known == nil {
		return ids.NewSet()
	}
	return ids.NewSetBeside(d.Known)
}

// Validate names the field that no request could be sent with, since each would fail for the same reason.
func (d Defaults) Validate() error {
	for _, check := range []struct {
		field string
		err   error
	}{
		{"Params", checkParams(d.Params, d.KeepRaw)},
		{"Tools", checkTools(d.Tools)},
		{"Schema", checkSchema(d)},
	} {
		if check.err != nil {
			return fmt.Errorf("%s: %w", check.field, check.err)
		}
	}
	return nil
}

func checkSchema(d Defaults) error {
	if _, twice := d.Params["response_format"]; twice && d.Schema != nil {
		return errors.New(`the params have a response format, too`)
	}
	return nil
}

func checkTools(tools []batch.Tool) error {
	for i, t := range tools {
		if t.Name == "" && t.Raw == nil {
			return fmt.Errorf("tool %d has no name", i+1)
		}
		if t.Name != "" && slices.ContainsFunc(tools[:i], func(other batch.Tool) bool { return other.Name == t.Name }) {
			return fmt.Errorf("%q is there twice", t.Name)
		}
	}
	return nil
}

// Validate makes the stage that checks each request and resolves the run's defaults into Item.Effective. A request that
// can't be sent as it is fails with an InvalidRequestError that names its origin and field; so does a second request of
// the same id. It keeps the order, and 9 to 11 bytes an id.
func Validate(d Defaults) batch.Stage {
	d.MaxToolIterations = max(cmp.Or(d.MaxToolIterations, defaultMaxToolIterations), -1)
	d.Tools = slices.Clip(d.Tools) // all requests share it: what a stage appends must not
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		v := &validator{Defaults: d, idPrefix: "batch-" + uuid.NewString() + "-", ids: d.newIDs()}
		if d.Schema != nil {
			v.structure = d.Schema.read
		}
		for item := range in {
			v.validate(item)
			out <- item
		}
		return nil
	}
}

type validator struct {
	Defaults
	idPrefix  string
	ids       *ids.Set
	structure func(string) (json.RawMessage, error) // the schema's; nil without one
}

func (v *validator) validate(item *batch.Item) {
	if item.Settled() {
		if item.Fingerprint == "" && item.Result != nil {
			item.Fingerprint = item.Result.Fingerprint // the source's, of a record that can't be read
		}
		// The id of a record that can't be read is made from its line, and another request may have it.
		id := item.ID()
		if taken := !v.ids.Add(id); item.Result != nil && (id == "" || taken && item.Request == nil) {
			item.Result.ID = v.newID(item)
			item.Settle(item.Result)
		}
		return
	}
	if item.Request == nil {
		item.Settle(&batch.Result{ID: v.newID(item)})
		item.Fail(batch.ErrInvalidRequest.Errorf("%sthere is no request", at(item)))
		return
	}
	r := &resolved{request: *item.Request}
	effective := &r.request
	item.Effective = effective
	if effective.ID == "" {
		effective.ID = v.idPrefix + strconv.FormatInt(item.Index, 10)
	}
	err := v.resolve(r)
	if err == nil && v.Schema != nil && v.applySchema(effective) {
		item.Structure = v.structure
	}
	if id := effective.ID; !v.ids.Add(id) {
		err = fmt.Errorf("duplicate id %q", id)
		effective.ID = v.newID(item)
	}
	if v.Fingerprints {
		var fpErr error
		if item.Fingerprint, fpErr = batch.Fingerprint(effective); err == nil {
			err = fpErr
		}
	}
	if err != nil {
		item.Fail(batch.ErrInvalidRequest.Errorf("%s%w", at(item), err))
	}
}

// newID names the result of a request that has no id or one that is taken. In a file it is the same in each run.
func (v *validator) newID(item *batch.Item) string {
	id := v.idPrefix + strconv.FormatInt(item.Index, 10)
	if unit, number, _ := strings.Cut(item.Origin, " "); unit == "line" || unit == "row" {
		id = unit + "-" + number
	}
	for !v.ids.Add(id) {
		id += "-duplicate"
	}
	return id
}

func at(item *batch.Item) string {
	if item.Origin == "" {
		return ""
	}
	return item.Origin + ": "
}
