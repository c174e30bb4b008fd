package llm

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// vector is an embedding, which stands in an answer as a list of numbers, or as the base64 of float32s in little-endian
// order.
type vector []float32

var errNoVector = errors.New("an embedding of the answer is neither a list of numbers nor the base64 of one")

// UnmarshalJSON reads either form. Unlike json of a []float32, it takes no null for a 0, and is quick.
func (v *vector) UnmarshalJSON(data []byte) error {
	switch {
	case data[0] == '"':
		return v.decode(data)
	case data[0] == '[':
		return v.read(data[1 : len(data)-1])
	case string(data) == "null":
		return nil
	}
	return errNoVector
}

func (v *vector) read(list []byte) error {
	if len(bytes.TrimSpace(list)) == 0 {
		return nil
	}
	numbers := make(vector, 0, bytes.Count(list, []byte(","))+1)
	for element := range bytes.SplitSeq(list, []byte(",")) {
		element = bytes.TrimSpace(element)
		number, err := strconv.ParseFloat(string(element), 32)
		if err != nil || !numeric(element[0]) {
			return errNoVector
		}
		numbers = append(numbers, float32(number))
	}
	*v = numbers
	return nil
}

// numeric keeps out what Go takes for a number and JSON doesn't.
func numeric(first byte) bool { return first == '-' || first >= '0' && first <= '9' }

func (v *vector) decode(text []byte) error {
	var encoded string
	if json.Unmarshal(text, &encoded) != nil {
		return errNoVector
	}
	const size = 4
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw)%size != 0 {
		return errNoVector
	}
	numbers := make(vector, 0, len(raw)/size)
	for chunk := range len(raw) / size {
		number := math.Float32frombits(binary.LittleEndian.Uint32(raw[chunk*size:]))
		if f := float64(number); math.IsNaN(f) || math.IsInf(f, 0) {
			return errNoVector
		}
		numbers = append(numbers, number)
	}
	*v = numbers
	return nil
}
