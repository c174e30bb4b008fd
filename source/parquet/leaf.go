package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxDecimalScale and maxDecimalBytes are beyond what any writer has.
const (
	maxDecimalScale = 1000
	maxDecimalBytes = 256
)

// leafOf returns the type of a leaf's values and what reads them. See [Reader] for the types. What it returns keeps nothing
// of the value: its memory is the page's.
func leafOf(t parquet.Type, element *format.SchemaElement) (batch.ColumnType, func(parquet.Value) (any, error), error) {
	if _, ok := element.LogicalType.Value.(*format.Float16Type); ok && t.Kind() == parquet.FixedLenByteArray && t.Length() == 2 {
		return batch.FloatColumn, readHalf, nil
	}
	if ct := element.ConvertedType; ct.Valid && ct.V == deprecated.Interval && t.Length() == 12 {
		return batch.TextColumn, readInterval, nil
	}
	if logical := t.LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.StringType, *format.EnumType:
			return batch.TextColumn, readText, nil
		case *format.JsonType:
			return batch.JSONColumn, readJSON, nil
		case *format.UUIDType:
			return batch.TextColumn, readUUID, nil
		case *format.DecimalType:
			if l.Scale < 0 || l.Scale > maxDecimalScale {
				return 0, nil, fmt.Errorf("a decimal of scale %d", l.Scale)
			}
			return batch.FloatColumn, decimalReader(t.Kind(), int(l.Scale)), nil
		case *format.IntType:
			return intOf(t.Kind(), l)
		case *format.TimestampType:
			return batch.TimeColumn, timestampReader(l.Unit), nil
		case *format.DateType:
			return batch.TextColumn, readDate, nil
		case *format.TimeType:
			return batch.TextColumn, timeReader(l.Unit), nil
		case *format.NullType:
			return batch.JSONColumn, func(parquet.Value) (any, error) { return nil, nil }, nil
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return batch.BoolColumn, func(v parquet.Value) (any, error) { return v.Boolean(), nil }, nil
	case parquet.Int32, parquet.Int64:
		return intOf(t.Kind(), &format.IntType{IsSigned: true})
	case parquet.Int96:
		return batch.TimeColumn, readInt96, nil
	case parquet.Float:
		return batch.FloatColumn, readFloat, nil
	case parquet.Double:
		return batch.FloatColumn, func(v parquet.Value) (any, error) { return v.Double(), nil }, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return batch.BytesColumn, func(v parquet.Value) (any, error) { return append([]byte{}, v.ByteArray()...), nil }, nil
	}
	return 0, nil, fmt.Errorf("values of the unknown type %s", t)
}

func intOf(kind parquet.Kind, l *format.IntType) (batch.ColumnType, func(parquet.Value) (any, error), error) {
	switch {
	case kind == parquet.Int32 && l.IsSigned:
		return batch.IntColumn, func(v parquet.Value) (any, error) { return int64(v.Int32()), nil }, nil
	case kind == parquet.Int32:
		return batch.IntColumn, func(v parquet.Value) (any, error) { return int64(v.Uint32()), nil }, nil
	case l.IsSigned:
		return batch.IntColumn, func(v parquet.Value) (any, error) { return v.Int64(), nil }, nil
	}
	return batch.FloatColumn, func(v parquet.Value) (any, error) {
		return json.Number(strconv.FormatUint(v.Uint64(), 10)), nil
	}, nil
}

func readText(v parquet.Value) (any, error) {
	if !utf8.Valid(v.ByteArray()) {
		return nil, errors.New("not valid UTF-8")
	}
	return string(v.ByteArray()), nil
}

func readJSON(v parquet.Value) (any, error) {
	if _, err := readText(v); err != nil {
		return nil, err
	}
	if !json.Valid(v.ByteArray()) {
		return nil, errors.New("not valid JSON")
	}
	return json.RawMessage(append([]byte{}, v.ByteArray()...)), nil
}

func readUUID(v parquet.Value) (any, error) {
	id, err := uuid.FromBytes(v.ByteArray())
	if err != nil {
		return nil, errors.New("not a UUID")
	}
	return id.String(), nil
}

// readFloat gives a float32 the digits that it is written with: 0.1 and not 0.10000000149011612.
func readFloat(v parquet.Value) (any, error) {
	return strconv.ParseFloat(strconv.FormatFloat(float64(v.Float()), 'g', -1, 32), 64)
}

func readHalf(v parquet.Value) (any, error) {
	b := v.ByteArray()
	bits := uint16(b[0]) | uint16(b[1])<<8
	fraction, exponent, sign := float64(bits&0x3ff)/1024, int(bits>>10&0x1f), 1.0
	if bits>>15 != 0 {
		sign = -1
	}
	switch {
	case exponent == 0x1f && fraction != 0:
		return math.NaN(), nil
	case exponent == 0x1f:
		return math.Inf(int(sign)), nil
	case exponent == 0:
		return sign * math.Ldexp(fraction, -14), nil
	}
	return sign * math.Ldexp(1+fraction, exponent-15), nil
}

func decimalReader(kind parquet.Kind, scale int) func(parquet.Value) (any, error) {
	return func(v parquet.Value) (any, error) {
		n := new(big.Int)
		switch kind {
		case parquet.Int32:
			n.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			n.SetInt64(v.Int64())
		default:
			b := v.ByteArray()
			if len(b) > maxDecimalBytes {
				return nil, fmt.Errorf("a decimal of %d bytes", len(b))
			}
			n.SetBytes(b)
			if len(b) > 0 && b[0] >= 0x80 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		return decimal(n, scale), nil
	}
}

// decimal writes n with its last digits, as many as the scale says, behind the point.
func decimal(n *big.Int, scale int) json.Number {
	if scale == 0 {
		return json.Number(n.String())
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	digits := n.Abs(n).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	return json.Number(sign + digits[:point] + "." + digits[point:])
}

func timestampReader(unit format.TimeUnit) func(parquet.Value) (any, error) {
	return func(v parquet.Value) (any, error) {
		switch n := v.Int64(); unit.Value.(type) {
		case *format.MilliSeconds:
			return time.UnixMilli(n).UTC(), nil
		case *format.NanoSeconds:
			return time.Unix(n/1e9, n%1e9).UTC(), nil
		default:
			return time.UnixMicro(n).UTC(), nil
		}
	}
}

// readInt96 reads nanoseconds of a day, and the day as of the Julian calendar.
func readInt96(v parquet.Value) (any, error) {
	const epoch = 2440588 // the day of 1970-01-01
	n := v.Int96()
	return time.Unix((int64(int32(n[2]))-epoch)*86400, int64(uint64(n[1])<<32|uint64(n[0]))).UTC(), nil
}

func readDate(v parquet.Value) (any, error) {
	return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly), nil
}

func timeReader(unit format.TimeUnit) func(parquet.Value) (any, error) {
	return func(v parquet.Value) (any, error) {
		var at time.Time
		switch unit.Value.(type) {
		case *format.MilliSeconds:
			at = time.UnixMilli(int64(v.Int32()))
		case *format.NanoSeconds:
			at = time.Unix(0, v.Int64())
		default:
			at = time.UnixMicro(v.Int64())
		}
		return at.UTC().Format("15:04:05.999999999"), nil
	}
}

// readInterval writes an interval as of ISO 8601, which keeps months, days and the rest apart.
func readInterval(v parquet.Value) (any, error) {
	b := v.ByteArray()
	part := func(at int) uint32 {
		return uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16 | uint32(b[at+3])<<24
	}
	seconds := decimal(big.NewInt(int64(part(8))), 3)
	return fmt.Sprintf("P%dM%dDT%sS", part(0), part(4), seconds), nil
}
