package sink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestALineTellsItsFingerprintByItsIDAndOthersTellNone(t *testing.T) {
	for id, want := range map[string]string{
		"batch_req_v1_00112233445566778899aabbccddeeff_7": "v1:00112233445566778899aabbccddeeff",
		"batch_req_v12_0f_7":                              "v12:0f",
	} {
		require.Equal(t, want, batchFingerprint(id), id)
		require.Equal(t, id, string(appendBatchID(nil, &batch.Result{Index: 7, Fingerprint: want})))
	}
	for _, foreign := range []string{
		"batch_req_00112233445566778899aabbccddeeff",
		"batch_req_v1",
		"batch_req_v1_",
		"batch_req_v_0f",
		"batch_req_1_0f",
		"batch_req_v1x_0f",
		"batch_req_v1_0g",
		"batch_req_v1_0f_",
		"batch_req_v1_0f_x",
		"batch_req_v1_0f_7_7",
		"batch_req_v1__7",
		"batch_req_7",
		"vllm-v1_0f",
		"v1_0f",
		"",
	} {
		require.Empty(t, batchFingerprint(foreign), foreign)
	}
	for _, fingerprint := range []string{"", "v1:", "v1:earlier", "other:0f", "v1", `v1:"`} {
		require.Equal(t, "batch_req_7", string(appendBatchID(nil, &batch.Result{Index: 7, Fingerprint: fingerprint})))
	}
}

func TestALineWithoutAnIndexInItsIDTellsItsFingerprintToo(t *testing.T) {
	require.Equal(t, "v1:00112233445566778899aabbccddeeff", batchFingerprint("batch_req_v1_00112233445566778899aabbccddeeff"))
}

func TestLinesOfTheSameRequestUnderTwoNamesHaveTwoIDs(t *testing.T) {
	first := batch.Result{ID: "a", Index: 1, Fingerprint: "v1:0f"}
	second := batch.Result{ID: "b", Index: 2, Fingerprint: "v1:0f"}
	require.NotEqual(t, string(appendBatchID(nil, &first)), string(appendBatchID(nil, &second)))
}
