// Package vault keeps what nobody may read: it seals receiver data for the
// database, makes keyed hashes to look sealed values up by, and masks values
// for people's eyes.
//
// The master key is a file outside the database. Whoever has the database
// without the file can read no account number, phone or name.
package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// A Vault seals and opens values with the master key. It is safe for
// concurrent use.
type Vault struct {
	aead   tink.AEAD
	hashes *prf.Set
}

// keyFile is the master key file: two keysets of the library, in clear.
type keyFile struct {
	About string          `json:"about"`
	Seal  json.RawMessage `json:"seal"` // AES256-GCM keyset: seals columns
	Hash  json.RawMessage `json:"hash"` // HMAC-SHA256 keyset: hashes for look-up
}

const about = "payoutd master key. Keep it secret, keep a copy: without it the database cannot be read."

// Open reads the master key file, or makes it when it does not exist. A file
// that others than its owner may read is refused.
func Open(path string) (*Vault, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read master key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key file %s can be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read master key file: %w", err)
	}
	v, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read master key file %s: %w", path, err)
	}
	return v, nil
}

// create makes a key file that is complete or absent: it is written beside its
// place and linked there, so two nodes that start at once agree on one.
func create(path string) (*Vault, error) {
	data, err := newKeyFile()
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make master key file: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".master-key-*") // CreateTemp makes mode 0600
	if err != nil {
		return nil, fmt.Errorf("make master key file: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return nil, fmt.Errorf("write master key file: %w", err)
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make master key file: %w", err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make master key file: %w", err)
	}
	return Open(path)
}

// syncFolder makes the names in a folder outlive a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func newKeyFile() ([]byte, error) {
	file := keyFile{About: about}
	seal, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	hash, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, err
	}
	if file.Seal, err = writeKeyset(seal); err != nil {
		return nil, err
	}
	if file.Hash, err = writeKeyset(hash); err != nil {
		return nil, err
	}
	return json.MarshalIndent(file, "", "  ")
}

func writeKeyset(handle *keyset.Handle) (json.RawMessage, error) {
	var b bytes.Buffer
	err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}

// parse reads a key file. Its errors never quote the file.
func parse(data []byte) (*Vault, error) {
	var file keyFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, errors.New("it is not a payoutd master key file")
	}
	seal, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Seal)))
	if err != nil {
		return nil, errors.New("its sealing key cannot be read")
	}
	hash, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Hash)))
	if err != nil {
		return nil, errors.New("its hashing key cannot be read")
	}
	v := new(Vault)
	if v.aead, err = aead.New(seal); err != nil {
		return nil, errors.New("its sealing key cannot be used")
	}
	if v.hashes, err = prf.NewPRFSet(hash); err != nil {
		return nil, errors.New("its hashing key cannot be used")
	}
	return v, nil
}

// New returns a vault with a fresh key that is kept nowhere, for tests.
func New() (*Vault, error) {
	data, err := newKeyFile()
	if err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	return parse(data)
}

// Seal encrypts a value for one place, such as "order 6982864": opened at any
// other place it is refused, so that sealed columns cannot be swapped.
func (v *Vault) Seal(plain []byte, place string) ([]byte, error) {
	sealed, err := v.aead.Encrypt(plain, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", place, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place.
func (v *Vault) Open(sealed []byte, place string) ([]byte, error) {
	plain, err := v.aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("open sealed %s: wrong master key or damaged data", place)
	}
	return plain, nil
}

const hashSize = 16 // bytes; 128 bits of HMAC-SHA256

// Hash returns a keyed hash of a value: equal values of one kind have equal
// hashes, and nobody without the master key can compute or try them.
func (v *Vault) Hash(kind, value string) ([]byte, error) {
	hash, err := v.hashes.ComputePrimaryPRF([]byte(kind+"\x00"+value), hashSize)
	if err != nil {
		return nil, fmt.Errorf("hash %s: %w", kind, err)
	}
	return hash, nil
}
