package docs

import (
	"crypto/rand"
	"testing"
	"time"
)

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		h := &Handler{ContextPath: "/paynet", Now: func() time.Time { return testTime }, Nonce: rand.Text}
		if err := h.Open(); err != nil {
			b.Fatal(err)
		}
	}
}
