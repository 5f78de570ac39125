package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"math/big"
)

// bigFrom is the length of the modulus, in bits, from which math/big checks a
// signature faster than crypto/rsa does. crypto/rsa takes as long for every number,
// lest somebody guess it; here everything is public: the signature, the key and
// what was signed. The benchmark prints both.
const bigFrom = 2049

// errSignature says that a signature is not the key's.
var errSignature = errors.New("the signature is not the key's")

// sha256Prefix is the DER of DigestInfo for SHA-256, up to the hash (RFC 8017
// section 9.2, note 1).
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// verifyRSA checks an RSASSA-PKCS1-v1_5 signature over a SHA-256 hash (RFC 8017
// section 8.2.2). The key has passed checkPublicKey.
func verifyRSA(key *rsa.PublicKey, hash [sha256.Size]byte, signature []byte) error {
	if key.N.BitLen() < bigFrom {
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], signature)
	}
	return verifyBig(key, hash, signature)
}

// verifyBig compares what the signature says with what it has to say, byte by
// byte: nothing of it is parsed, so there is no form of it that could be
// misunderstood.
func verifyBig(key *rsa.PublicKey, hash [sha256.Size]byte, signature []byte) error {
	size := key.Size()
	if len(signature) != size {
		return errSignature
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 { // another text of the same number (RFC 8017 section 5.2.2)
		return errSignature
	}
	said := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	if subtle.ConstantTimeCompare(said, encoded(hash, size)) != 1 {
		return errSignature
	}
	return nil
}

// encoded is EMSA-PKCS1-v1_5 of a SHA-256 hash (RFC 8017 section 9.2).
func encoded(hash [sha256.Size]byte, size int) []byte {
	text := make([]byte, size)
	text[1] = 1
	padding := text[2 : size-len(sha256Prefix)-len(hash)-1]
	for i := range padding {
		padding[i] = 0xff
	}
	copy(text[size-len(sha256Prefix)-len(hash):], sha256Prefix)
	copy(text[size-len(hash):], hash[:])
	return text
}
