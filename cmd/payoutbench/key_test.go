package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"payout/sign"
)

func TestAQuickKeysSignaturesAreThoseOfAnyRSAKey(t *testing.T) {
	for _, length := range []int{2048, 3072, 4096} {
		key, err := newQuickKey(length)
		if err != nil {
			t.Fatal(err)
		}
		if got := key.public.N.BitLen(); got != length {
			t.Errorf("the modulus has %d bits, want %d", got, length)
		}
		sum := sha256.Sum256([]byte("what is signed"))
		signature, err := key.Sign(nil, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(key.public, crypto.SHA256, sum[:], signature); err != nil {
			t.Errorf("RSA-%d: %v", length, err)
		}
		sum[0]++
		if rsa.VerifyPKCS1v15(key.public, crypto.SHA256, sum[:], signature) == nil {
			t.Errorf("RSA-%d: the signature is good for another sum too", length)
		}
	}
}

func TestAQuickKeySignsRequestsThatTheGatewayVerifies(t *testing.T) {
	key, err := newQuickKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	request := sign.Request{Method: "POST", URL: "http://h.example/paynet", Form: []sign.Pair{{Name: "a", Value: "b"}}}
	header, err := sign.SignBy(request, sign.Credentials{ConsumerKey: "c", Nonce: "n", Timestamp: time.Now().Unix()}, key)
	if err != nil {
		t.Fatal(err)
	}
	oauth, err := sign.ParseAuthorization(header)
	if err != nil {
		t.Fatal(err)
	}
	if err := sign.Verify(request, oauth, []*rsa.PublicKey{key.public}); err != nil {
		t.Error(err)
	}
}

func TestAQuickKeySignsNothingButSHA256(t *testing.T) {
	key, err := newQuickKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(nil, make([]byte, 20), crypto.SHA1); err == nil {
		t.Error("it signed a SHA-1 sum")
	}
}

func BenchmarkQuickSign(b *testing.B) {
	for _, length := range []int{2048, 4096} {
		key, err := newQuickKey(length)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256([]byte("what is signed"))
		b.Run(map[int]string{2048: "2048", 4096: "4096"}[length], func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Sign(nil, sum[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
