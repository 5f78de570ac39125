package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
)

// testKey is made once a run: there is no private key in the repository.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })

func generate(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// publicOf returns a key of that size that nobody has the other half of: making
// real ones of 4096 bits takes seconds.
func publicOf(bits int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func spki(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(blockSPKI, der)
}

func pkcs1(key *rsa.PublicKey) string { return pemOf(blockPKCS1, x509.MarshalPKCS1PublicKey(key)) }

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(blockPKCS8, der)
}

func readKey(t testing.TB, name string) *rsa.PublicKey {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestParsePublicKeyReadsBothFormsOfTheSameKey(t *testing.T) {
	a, b := readKey(t, "key2048.pub.spki"), readKey(t, "key2048.pub.pkcs1")
	if !a.Equal(b) || Fingerprint(a) != Fingerprint(b) {
		t.Error("SPKI and PKCS#1 give different keys")
	}
	if c := readKey(t, "key4096.pub.spki"); c.N.BitLen() != 4096 || Fingerprint(c) == Fingerprint(a) {
		t.Errorf("4096-bit key has %d bits, fingerprint %s", c.N.BitLen(), Fingerprint(c))
	}
}

func TestFingerprintIsTheSHA256OfTheSPKI(t *testing.T) {
	text, _ := os.ReadFile("testdata/key2048.pub.spki.pem")
	block, _ := pem.Decode(text)
	sum := sha256.Sum256(block.Bytes)
	if got, want := Fingerprint(readKey(t, "key2048.pub.pkcs1")), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Fingerprint(nil) + Fingerprint(&rsa.PublicKey{}); got != "" {
		t.Errorf("no key has the fingerprint %s", got)
	}
}

func TestPublicKeysHave2048To4096Bits(t *testing.T) {
	for bits, want := range map[int]bool{2047: false, 2048: true, 2049: true, 4095: true, 4096: true, 4097: false} {
		for _, text := range []string{spki(t, publicOf(bits)), pkcs1(publicOf(bits))} {
			if _, err := ParsePublicKey([]byte(text)); (err == nil) != want {
				t.Errorf("%d bits: %v", bits, err)
			}
		}
	}
}

func TestPublicExponentIsOddAndAtLeast3(t *testing.T) {
	for e, want := range map[int]bool{1: false, 2: false, 3: true, 4: false, 65536: false, 65537: true} {
		key := publicOf(2048)
		key.E = e
		if _, err := ParsePublicKey([]byte(pkcs1(key))); (err == nil) != want {
			t.Errorf("exponent %d: %v", e, err)
		}
	}
	even := publicOf(2048)
	even.N.SetBit(even.N, 0, 0)
	if _, err := ParsePublicKey([]byte(pkcs1(even))); err == nil {
		t.Error("an even modulus is accepted")
	}
}

func TestParsePublicKeySaysWhatWasPasted(t *testing.T) {
	good := pkcs1(publicOf(2048))
	der := x509.MarshalPKCS1PublicKey(publicOf(2048))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "no PEM block"},
		{"base64 alone", "MIIBCgKCAQEApCGC", "no PEM block"},
		{"cut short", good[:len(good)/2], "no PEM block"},
		{"OpenSSH", "ssh-rsa AAAAB3Nza me@here", "OpenSSH"},
		{"PKCS#8 private key", pkcs8(t, testKey()), "private key"},
		{"PKCS#1 private key", pemOf(blockPrivate, x509.MarshalPKCS1PrivateKey(testKey())), "private key"},
		{"encrypted private key", pemOf("ENCRYPTED PRIVATE KEY", []byte{1}), "private key"},
		{"certificate", pemOf("CERTIFICATE", []byte{1}), "certificate"},
		{"something else", pemOf("X509 CRL", []byte{1}), "neither"},
		{"elliptic key", spki(t, &ec.PublicKey), "not an RSA key"},
		{"SPKI under the wrong name", strings.ReplaceAll(spki(t, publicOf(2048)), "PUBLIC", "RSA PUBLIC"), "what its name says"},
		{"two keys", good + good, "more than one"},
		{"text after", good + "x", "text after"},
		{"text before", "x\n" + good, "text before"},
		{"bytes after the key", pemOf(blockPKCS1, append(der, 0)), "trailing data"},
	} {
		if _, err := ParsePublicKey([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for name, text := range map[string]string{
		"space around":  "\n  " + good + "\n\n",
		"Windows lines": "\ufeff" + strings.ReplaceAll(good, "\n", "\r\n"),
	} {
		if _, err := ParsePublicKey([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParsePrivateKeyReadsPKCS1AndPKCS8(t *testing.T) {
	for _, text := range []string{pkcs8(t, testKey()), pemOf(blockPrivate, x509.MarshalPKCS1PrivateKey(testKey()))} {
		key, err := ParsePrivateKey([]byte(text))
		if err != nil || !key.Equal(testKey()) {
			t.Errorf("%v", err)
		}
	}
}

func TestParsePrivateKeySaysWhatWasPasted(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "no PEM block"},
		{"public key", spki(t, &testKey().PublicKey), "public key"},
		{"encrypted PKCS#8", pemOf("ENCRYPTED PRIVATE KEY", []byte{1}), "encrypted"},
		{"encrypted PKCS#1", string(pem.EncodeToMemory(&pem.Block{Type: blockPrivate,
			Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "x"}, Bytes: []byte{1}})), "encrypted"},
		{"elliptic key", pkcs8(t, ec), "not an RSA key"},
		{"something else", pemOf("X509 CRL", []byte{1}), "neither"},
		{"broken", pemOf(blockPKCS8, []byte{1}), "what its name says"},
		// The upper border is checked by the function tested for public keys:
		// making a private key of 4097 bits takes seconds.
		{"2047 bits", pkcs8(t, generate(2047)), "2047 bits"},
	} {
		if _, err := ParsePrivateKey([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
