//go:build !unix

package h1

const available = false

func (*conn) peekFD(uintptr) bool { return true }
