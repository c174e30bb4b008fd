package sink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestALineTellsItsFingerprintByItsIDAndOthersTellNone(t *testing.T) {
	for id, want := range map[string]string{
		"batch_req_v1_00112233445566778899aabbccddeeff": "v1:00112233445566778899aabbccddeeff",
		"batch_req_v12_0f":                           "v12:0f",
		"batch_req_00112233445566778899aabbccddeeff": "", // as OpenAI makes them
		"batch_req_v1":                               "", "batch_req_v1_": "", "batch_req_v_0f": "", "batch_req_1_0f": "", "batch_req_v1x_0f": "",
		"batch_req_v1_0g": "", "batch_req_7": "", "vllm-v1_0f": "", "v1_0f": "", "": "",
	} {
		require.Equal(t, want, batchFingerprint(id), id)
		if want != "" {
			require.Equal(t, id, string(appendBatchID(nil, &batch.Result{Fingerprint: want})))
		}
	}
	for _, fingerprint := range []string{"", "v1:", "v1:earlier", "other:0f", "v1", `v1:"`} {
		require.Equal(t, "batch_req_7", string(appendBatchID(nil, &batch.Result{Index: 7, Fingerprint: fingerprint})))
	}
}
