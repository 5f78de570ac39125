package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// A KeyID names one sealing key. Every sealed value begins with it; no key has 0.
type KeyID uint32

// String returns the id as people see it.
func (id KeyID) String() string { return strconv.FormatUint(uint64(id), 10) }

// prefixSize is how many bytes before a sealed value tell its key: a version
// byte and the id.
const prefixSize = 5

// KeyOf tells which key a value was sealed under; 0 when it was not sealed here.
// The first five bytes of the value are enough.
func KeyOf(sealed []byte) KeyID {
	if len(sealed) < prefixSize || sealed[0] != 1 {
		return 0
	}
	return KeyID(binary.BigEndian.Uint32(sealed[1:prefixSize]))
}

// A Key is what may be told of a sealing key.
type Key struct {
	ID      KeyID
	Primary bool      // new values are sealed under it, unless the database names another
	AddedAt time.Time // zero: not known
}

// A KeySet is the master key: sealing keys, the oldest first, one of them the
// primary, and the key of the hashes, which stays, because hashes are looked up.
// It does not change; what changes it returns another one.
type KeySet struct {
	seal, hash *keyset.Handle
	keys       []Key // of seal
}

func newKeySet(seal, hash *keyset.Handle, added map[KeyID]time.Time) *KeySet {
	s := &KeySet{seal: seal, hash: hash}
	all := seal.KeysetInfo()
	for _, info := range all.GetKeyInfo() {
		id := KeyID(info.GetKeyId())
		s.keys = append(s.keys, Key{ID: id, Primary: info.GetKeyId() == all.GetPrimaryKeyId(), AddedAt: added[id]})
	}
	return s
}

// keySetText is a key set as it is kept: two keysets of the library, in clear.
type keySetText struct {
	About string              `json:"about"`
	Seal  json.RawMessage     `json:"seal"`            // AES256-GCM keyset: seals columns
	Hash  json.RawMessage     `json:"hash"`            // HMAC-SHA256 keyset: hashes for look-up
	Added map[KeyID]time.Time `json:"added,omitempty"` // when sealing keys were added
}

const about = "payoutd master key. Keep it secret, keep a copy: without it the database cannot be read."

// NewKeySet makes a key set with one fresh key.
func NewKeySet() (*KeySet, error) {
	seal, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	hash, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	return newKeySet(seal, hash, nil), nil
}

// ParseKeySet reads the text of a key set. Its errors never quote the text.
func ParseKeySet(data []byte) (*KeySet, error) {
	var text keySetText
	if err := json.Unmarshal(data, &text); err != nil {
		return nil, errors.New("it is not a payoutd master key")
	}
	seal, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text.Seal)))
	if err != nil || seal.Len() == 0 {
		return nil, errors.New("its sealing key cannot be read")
	}
	hash, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text.Hash)))
	if err != nil {
		return nil, errors.New("its hashing key cannot be read")
	}
	return newKeySet(seal, hash, text.Added), nil
}

// Text writes a key set as ParseKeySet reads it, on one line. It is as secret
// as what it opens.
func (s *KeySet) Text() ([]byte, error) {
	text := keySetText{About: about, Added: make(map[KeyID]time.Time)}
	for _, k := range s.keys {
		if !k.AddedAt.IsZero() {
			text.Added[k.ID] = k.AddedAt
		}
	}
	var err error
	if text.Seal, err = writeKeyset(s.seal); err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	if text.Hash, err = writeKeyset(s.hash); err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	return json.Marshal(text)
}

func writeKeyset(handle *keyset.Handle) (json.RawMessage, error) {
	var b bytes.Buffer
	err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}

// Keys lists the sealing keys, the oldest first.
func (s *KeySet) Keys() []Key { return slices.Clone(s.keys) }

// Has reports whether a key is in the set.
func (s *KeySet) Has(id KeyID) bool {
	return slices.ContainsFunc(s.keys, func(k Key) bool { return k.ID == id })
}

// mark returns what two key sets have in common when they are of one database: a
// hash, since the key of the hashes never changes.
func (s *KeySet) mark() ([]byte, error) {
	h, err := newHasher(s)
	if err != nil {
		return nil, err
	}
	return h.hash("same"), nil
}

// Primary returns the key that the set itself names for new values.
func (s *KeySet) Primary() KeyID {
	return s.keys[slices.IndexFunc(s.keys, func(k Key) bool { return k.Primary })].ID
}

// Newest returns the key that was added last.
func (s *KeySet) Newest() KeyID { return s.keys[len(s.keys)-1].ID }

// WithNewKey returns the set with one more key, which is not the primary.
func (s *KeySet) WithNewKey(now time.Time) (*KeySet, error) {
	manager := keyset.NewManagerFromHandle(s.seal)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("add a sealing key: %w", err)
	}
	return s.with(manager, KeyID(id), now)
}

// WithPrimary returns the set with another primary.
func (s *KeySet) WithPrimary(id KeyID) (*KeySet, error) {
	manager := keyset.NewManagerFromHandle(s.seal)
	if err := manager.SetPrimary(uint32(id)); err != nil {
		return nil, fmt.Errorf("the master key does not have key %s", id)
	}
	return s.with(manager, 0, time.Time{})
}

// Only returns the set with one key alone: the given one. The others are lost.
func (s *KeySet) Only(id KeyID) (*KeySet, error) {
	alone, err := s.WithPrimary(id)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(alone.seal)
	for _, k := range alone.keys {
		if k.ID == id {
			continue
		}
		if err := manager.Delete(uint32(k.ID)); err != nil {
			return nil, fmt.Errorf("remove key %s: %w", k.ID, err)
		}
	}
	return s.with(manager, 0, time.Time{})
}

// with returns the set with the keys of a manager, one of which may be new.
func (s *KeySet) with(manager *keyset.Manager, fresh KeyID, now time.Time) (*KeySet, error) {
	seal, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("change the sealing keys: %w", err)
	}
	added := make(map[KeyID]time.Time)
	for _, k := range s.keys {
		added[k.ID] = k.AddedAt
	}
	if fresh != 0 {
		added[fresh] = now.UTC()
	}
	return newKeySet(seal, s.hash, added), nil
}
