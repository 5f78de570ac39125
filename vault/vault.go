// Package vault keeps what nobody may read: it seals receiver data for the
// database, makes keyed hashes to look sealed values up by, and masks values
// for people's eyes.
//
// The master key is kept outside the database: in a file, in the environment,
// or wherever a command gets it from. Whoever has the database without the key
// can read no account number, phone or name.
package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// A Vault seals and opens values with the master key. It is safe for
// concurrent use.
type Vault struct {
	keys atomic.Pointer[keys]

	path     string      // of the key file; empty: the key is not from a file
	changing sync.Mutex  // held while keys are exchanged
	file     fs.FileInfo // of the key file as last read
}

// keys are what a vault works with at one moment.
type keys struct {
	set     *KeySet
	sealing KeyID // of the set; its primary, unless Follow has chosen
	lacking KeyID // that Follow has chosen and the set does not have: nothing is sealed; or 0
	aead    tink.AEAD
	hashes  *hasher
}

func newKeys(set *KeySet, sealing KeyID) (*keys, error) {
	chosen, err := set.WithPrimary(sealing)
	if err != nil {
		return nil, err
	}
	k := &keys{set: set, sealing: sealing}
	if k.aead, err = aead.New(chosen.seal); err != nil {
		return nil, errors.New("its sealing key cannot be used")
	}
	k.hashes, err = newHasher(set)
	return k, err
}

func newVault(set *KeySet) (*Vault, error) {
	k, err := newKeys(set, set.Primary())
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	v := new(Vault)
	v.keys.Store(k)
	return v, nil
}

// Open reads the master key file, or makes it when it does not exist. A file
// that others than its owner may read is refused.
func Open(path string) (*Vault, error) {
	set, info, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return nil, err
	}
	v, err := newVault(set)
	if err != nil {
		return nil, err
	}
	v.path, v.file = path, info
	return v, nil
}

// readKeyFile reads a key set and tells what its file was at that moment.
func readKeyFile(path string) (*KeySet, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read master key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read master key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, nil, fmt.Errorf("master key file %s can be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(file, textMax))
	if err != nil {
		return nil, nil, fmt.Errorf("read master key file: %w", err)
	}
	set, err := ParseKeySet(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read master key file %s: %w", path, err)
	}
	return set, info, nil
}

// create makes a key file that is complete or absent: it is written beside its
// place and linked there, so two nodes that start at once agree on one.
func create(path string) (*Vault, error) {
	set, err := NewKeySet()
	if err != nil {
		return nil, err
	}
	data, err := set.Text()
	if err != nil {
		return nil, err
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

// New returns a vault with a fresh key that is kept nowhere, for tests.
func New() (*Vault, error) {
	set, err := NewKeySet()
	if err != nil {
		return nil, err
	}
	return newVault(set)
}

// Seal encrypts a value for one place, such as "order 6982864": opened at any
// other place it is refused, so that sealed columns cannot be swapped.
func (v *Vault) Seal(plain []byte, place string) ([]byte, error) {
	k := v.keys.Load()
	if k.lacking != 0 {
		return nil, fmt.Errorf("seal %s: the master key does not have key %s", place, k.lacking)
	}
	sealed, err := k.aead.Encrypt(plain, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", place, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place. When it was sealed under a
// key that is not known, the key file is looked at again: it may be a new one.
func (v *Vault) Open(sealed []byte, place string) ([]byte, error) {
	if !v.keys.Load().set.Has(KeyOf(sealed)) {
		if err := v.Reload(); err != nil {
			return nil, fmt.Errorf("open sealed %s: %w", place, err)
		}
	}
	plain, err := v.keys.Load().aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("open sealed %s: wrong master key or damaged data", place)
	}
	return plain, nil
}
