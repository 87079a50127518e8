package main

import "bytes"

// hole is where a path asks for a new name each time.
var hole = []byte("0000000000")

// names are one connection's requests: the same one again and again, or, where it has a hole, one for each name.
type names struct {
	request []byte
	digits  []byte // the hole, inside request
}

// newNames counts on from first in the lower seven digits; the upper three are the connection's.
func newNames(request []byte, connection, first int) names {
	own := bytes.Clone(request)
	at := bytes.Index(own, hole)
	if at < 0 {
		return names{request: own}
	}
	digits := own[at : at+len(hole)]
	for i := 2; i >= 0; i-- {
		digits[i] = byte('0' + connection%10)
		connection /= 10
	}
	for i := len(digits) - 1; i > 2; i-- {
		digits[i] = byte('0' + first%10)
		first /= 10
	}
	return names{own, digits}
}

func (n names) next() []byte {
	for i := len(n.digits) - 1; i > 2; i-- {
		if n.digits[i] < '9' {
			n.digits[i]++
			break
		}
		n.digits[i] = '0'
	}
	return n.request
}
