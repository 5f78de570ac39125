package sign

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"sync"
	"testing"
)

// rsaKeys are keys of every length that is told apart, the odd ones included.
var rsaKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for _, bits := range []int{2048, 2049, 3072, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// agree checks a signature by both ways, and reports whether it is good.
func agree(t *testing.T, key *rsa.PublicKey, hash [sha256.Size]byte, signature []byte) bool {
	t.Helper()
	theirs := rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], signature) == nil
	if ours := verifyBig(key, hash, signature) == nil; ours != theirs {
		t.Fatalf("%d bits: crypto/rsa says %v, verifyBig %v: hash %x, signature %x", key.N.BitLen(), theirs, ours, hash, signature)
	}
	if got := verifyRSA(key, hash, signature) == nil; got != theirs {
		t.Fatalf("%d bits: crypto/rsa says %v, verifyRSA %v", key.N.BitLen(), theirs, got)
	}
	return theirs
}

func TestBothChecksOfASignatureAgree(t *testing.T) {
	for _, key := range rsaKeys() {
		hash := sha256.Sum256([]byte("payout"))
		good, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
		if err != nil {
			t.Fatal(err)
		}
		if !agree(t, &key.PublicKey, hash, good) {
			t.Fatalf("%d bits: a good signature is refused", key.N.BitLen())
		}
		number := new(big.Int).SetBytes(good)
		wrong := [][]byte{nil, {}, good[1:], append([]byte{0}, good...), append(good[:len(good):len(good)], 0), make([]byte, len(good)), key.N.Bytes(),
			new(big.Int).Sub(key.N, number).FillBytes(make([]byte, key.Size())), big.NewInt(1).FillBytes(make([]byte, key.Size()))}
		if plus := new(big.Int).Add(number, key.N); plus.BitLen() <= 8*key.Size() { // the same number once more
			wrong = append(wrong, plus.FillBytes(make([]byte, key.Size())))
		}
		for _, text := range forgeries(hash, key.Size()) {
			// What its owner could make say anything: a signature of another encoding.
			m := new(big.Int).SetBytes(text)
			if m.Cmp(key.N) < 0 {
				wrong = append(wrong, m.Exp(m, key.D, key.N).FillBytes(make([]byte, key.Size())))
			}
		}
		for i, signature := range wrong {
			if agree(t, &key.PublicKey, hash, signature) {
				t.Errorf("%d bits: wrong signature %d is accepted", key.N.BitLen(), i)
			}
		}
	}
}

// forgeries are encodings that lax verifiers have taken for good ones.
func forgeries(hash [sha256.Size]byte, size int) [][]byte {
	good := encoded(hash, size)
	change := func(change func([]byte)) []byte {
		text := append([]byte(nil), good...)
		change(text)
		return text
	}
	at := size - len(sha256Prefix) - len(hash) - 1 // the zero after the padding
	return [][]byte{
		change(func(b []byte) { b[1] = 2 }),                                                 // for encryption
		change(func(b []byte) { b[2] = 0xfe }),                                              // padding
		change(func(b []byte) { b[at] = 0xff }),                                             // no end of it
		change(func(b []byte) { copy(b[3:], good[at:]); clear(b[3+len(good)-at:]) }),        // short padding, garbage behind (CVE-2006-4339)
		change(func(b []byte) { b[at+2]++ }),                                                // DER lengths
		change(func(b []byte) { b[at+14] ^= 4 }),                                            // another hash
		change(func(b []byte) { copy(b[at+2:], b[at:at+14]); b[at], b[at+1] = 0xff, 0xff }), // parameters left out
		change(func(b []byte) { b[size-1]++ }),                                              // the hash
		change(func(b []byte) { b[0] = 1 }),                                                 // too large
	}
}

func FuzzBothChecksOfASignatureAgree(f *testing.F) {
	f.Add(uint8(0), []byte("payout"), uint16(0), byte(0), false)
	f.Add(uint8(3), []byte{}, uint16(5), byte(1), true)
	f.Add(uint8(3), []byte("x"), uint16(511), byte(128), false)
	f.Fuzz(func(t *testing.T, which uint8, message []byte, at uint16, flip byte, raw bool) {
		key := rsaKeys()[int(which)%len(rsaKeys())]
		hash := sha256.Sum256(message)
		var signature []byte
		if raw {
			signature = message
		} else {
			var err error
			if signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:]); err != nil {
				t.Fatal(err)
			}
			signature[int(at)%len(signature)] ^= flip
		}
		if good := agree(t, &key.PublicKey, hash, signature); !raw && good != (flip == 0) {
			t.Errorf("a signature with %x flipped at %d: %v", flip, at, good)
		}
	})
}

// BenchmarkRSA checks signatures by both ways: see bigFrom.
func BenchmarkRSA(b *testing.B) {
	for _, bits := range []int{2048, 3072, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			b.Fatal(err)
		}
		hash := sha256.Sum256([]byte("payout"))
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
		if err != nil {
			b.Fatal(err)
		}
		for name, check := range map[string]func() error{
			"crypto": func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, hash[:], signature) },
			"big":    func() error { return verifyBig(&key.PublicKey, hash, signature) },
		} {
			b.Run(fmt.Sprint(bits, "/", name), func(b *testing.B) {
				for b.Loop() {
					if err := check(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
