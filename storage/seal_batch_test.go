package storage

import (
	"testing"

	"payout/vault"
)

// under is a value that is sealed under a key, as far as the key can be read off it.
func under(key byte) []byte { return append([]byte{1, 0, 0, 0, key}, "sealed"...) }

// A batch is sealed under one key only when each value of each write in it is: some may
// have been sealed before a change of key, others after it.
func TestKeyOfABatch(t *testing.T) {
	order := func(params []byte) *op { return &op{accept: &acceptOp{params: params}} }
	for _, test := range []struct {
		what  string
		batch []*op
		key   vault.KeyID
	}{
		{"nothing sealed", []*op{order(nil), {postpone: new(postponeOp)}}, 0},
		{"one order", []*op{order(under(7))}, 7},
		{"others that store nothing sealed", []*op{order(nil), order(under(7)), {postpone: new(postponeOp)}}, 7},
		{"two orders", []*op{order(under(7)), order(under(7))}, 7},
		{"two orders under two keys", []*op{order(under(7)), order(under(8))}, 0},
		{"an order under no key", []*op{order([]byte("not sealed")), order(under(7))}, 0},
		{"a card", []*op{order(under(7)), {accept: &acceptOp{card: under(8)}}}, 0},
		{"a move", []*op{order(under(7)), {move: &moveOp{callbackURL: under(7), params: under(7)}}}, 7},
		{"a move's callback", []*op{order(under(7)), {move: &moveOp{callbackURL: under(8)}}}, 0},
		{"a move's Receiver", []*op{order(under(7)), {move: &moveOp{params: under(8)}}}, 0},
		{"a request's move", []*op{order(under(7)), {accept: &acceptOp{move: &moveOp{params: under(8)}}}}, 0},
	} {
		key, ok := keyOf(test.batch)
		if ok != (test.key != 0) || ok && key != test.key {
			t.Errorf("%s: key %s, %t, want %s", test.what, key, ok, test.key)
		}
	}
}
