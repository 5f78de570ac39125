package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

const hashSize = 16 // bytes; 128 bits of HMAC-SHA256

// A hasher computes HMAC-SHA256 under one key. It keeps HMACs that have taken in the
// key already, which is most of the work for a short value: each accept and each
// status hashes one. The library's primitive makes one anew for each value.
type hasher struct{ hmacs sync.Pool }

// newHasher makes the hasher of a set's key for hashes.
func newHasher(s *KeySet) (*hasher, error) {
	entry, err := s.hash.Primary()
	if err != nil {
		return nil, errors.New("its hashing key cannot be used")
	}
	key, ok := entry.Key().(*hmacprf.Key)
	if !ok || key.Parameters().(*hmacprf.Parameters).HashType() != hmacprf.SHA256 {
		return nil, errors.New("its hashing key is not for HMAC-SHA256")
	}
	secret := key.KeyBytes().Data(insecuresecretdataaccess.Token{})
	return &hasher{sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}, nil
}

// hash returns the first hashSize bytes of the HMAC.
func (h *hasher) hash(text string) []byte {
	mac := h.hmacs.Get().(hash.Hash)
	defer h.hmacs.Put(mac)
	mac.Reset()
	mac.Write([]byte(text)) // never fails
	return mac.Sum(make([]byte, 0, sha256.Size))[:hashSize:hashSize]
}

// Hash returns a keyed hash of a value: equal values of one kind have equal
// hashes, and nobody without the master key can compute or try them.
func (v *Vault) Hash(kind, value string) []byte {
	return v.keys.Load().hashes.hash(kind + "\x00" + value)
}
