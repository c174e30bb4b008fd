package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

var (
	errThriftEarly = errors.New("a header ends early")
	errThrift      = errors.New("a header is damaged")
)

// maxThriftDepth is how deep the structures of Parquet's headers nest, and a good deal more.
const maxThriftDepth = 32

// thriftLen returns the length of the structure that b begins with, in the compact protocol of Thrift. It looks at the shape
// alone: the library allocates what a list says it will hold, and recurses as deep as a structure nests, before it finds
// that there is nothing in it.
func thriftLen(b []byte) (int, error) {
	s := thriftScanner{rest: b}
	err := s.structure(0)
	return len(b) - len(s.rest), err
}

type thriftScanner struct{ rest []byte }

// The types of the compact protocol. A field that is a bool has its value in its type.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (s *thriftScanner) structure(depth int) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	for {
		field, err := s.byte()
		if err != nil || field == 0 {
			return err
		}
		if field>>4 == 0 { // the field's number follows
			if _, err := s.varint(); err != nil {
				return err
			}
		}
		if kind := field & 0xf; kind != thriftTrue && kind != thriftFalse {
			if err := s.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (s *thriftScanner) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := s.varint()
		return err
	case thriftDouble:
		return s.skip(8)
	case thriftBinary:
		n, err := s.varint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thriftList, thriftSet:
		return s.list(depth + 1)
	case thriftMap:
		return s.pairs(depth + 1)
	case thriftStruct:
		return s.structure(depth + 1)
	}
	return errThrift
}

func (s *thriftScanner) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.rest)) { // an item has a byte at least
		return errThriftEarly
	}
	for range n {
		if err := s.item(head&0xf, depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *thriftScanner) pairs(depth int) error {
	n, err := s.varint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := s.byte()
	if err != nil {
		return err
	}
	for range n {
		if err := s.item(kinds>>4, depth); err != nil {
			return err
		}
		if err := s.item(kinds&0xf, depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *thriftScanner) item(kind byte, depth int) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	return s.value(kind, depth)
}

func (s *thriftScanner) byte() (byte, error) {
	if len(s.rest) == 0 {
		return 0, errThriftEarly
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b, nil
}

func (s *thriftScanner) varint() (uint64, error) {
	v, n := binary.Uvarint(s.rest)
	switch {
	case n == 0:
		return 0, errThriftEarly
	case n < 0:
		return 0, errThrift
	}
	s.rest = s.rest[n:]
	return v, nil
}

func (s *thriftScanner) skip(n uint64) error {
	switch {
	case n > math.MaxInt32:
		return errThrift
	case n > uint64(len(s.rest)):
		return errThriftEarly
	}
	s.rest = s.rest[n:]
	return nil
}
