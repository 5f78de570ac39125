package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoFile says that the master key is not in a file: it can only be changed
// where it is kept.
var ErrNoFile = errors.New("the master key is not in a key file")

// KeySet returns the master key that the vault has now.
func (v *Vault) KeySet() *KeySet { return v.keys.Load().set }

// Sealing returns the key that Seal uses now.
func (v *Vault) Sealing() KeyID { return v.keys.Load().sealing }

// HasFile reports whether the master key is in a file, which Replace can change.
func (v *Vault) HasFile() bool { return v.path != "" }

// Follow makes Seal use a key from now on, which a changed key file may just have
// brought; 0 means the set's primary. When the key is not there, nothing can be
// sealed until it is: what is sealed under another one may be lost with it.
func (v *Vault) Follow(wanted KeyID) error {
	v.changing.Lock()
	defer v.changing.Unlock()
	unread := v.reload(wanted)
	now := v.keys.Load()
	if wanted == 0 {
		wanted = now.set.Primary()
	}
	if wanted == now.sealing && now.lacking == 0 {
		return unread
	}
	k, err := newKeys(now.set, wanted)
	if err != nil {
		without := *now
		without.lacking = wanted
		v.keys.Store(&without)
		return errors.Join(unread, fmt.Errorf("the database is sealed under a newer master key than this one: %w", err))
	}
	v.keys.Store(k)
	return unread
}

// Reload reads the key file if it has changed. A file that has been taken away,
// or that cannot be used, changes nothing.
func (v *Vault) Reload() error {
	v.changing.Lock()
	defer v.changing.Unlock()
	return v.reload(v.keys.Load().lacking)
}

// reload reads the key file if it has changed. It must have the wanted key, or
// the one that is in use.
func (v *Vault) reload(wanted KeyID) error {
	if !v.HasFile() {
		return nil
	}
	info, err := os.Stat(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // some operators show it at the start only
	}
	if err != nil {
		return fmt.Errorf("read master key file: %w", err)
	}
	if os.SameFile(info, v.file) && info.ModTime().Equal(v.file.ModTime()) && info.Size() == v.file.Size() {
		return nil
	}
	set, info, err := readKeyFile(v.path)
	if err != nil {
		return err
	}
	now := v.keys.Load()
	sealing, lacking := now.sealing, now.lacking
	if set.Has(wanted) {
		sealing, lacking = wanted, 0
	}
	k, err := newKeys(set, sealing)
	if err != nil {
		return fmt.Errorf("master key file %s has changed and is not used: %w", v.path, err)
	}
	k.lacking = lacking
	same, err := sameHashes(now, k)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("master key file %s has changed and is not used: it is the key of another database", v.path)
	}
	v.keys.Store(k)
	v.file = info
	return nil
}

// sameHashes reports whether two key sets make the same hashes. The key of the
// hashes never changes: it tells which database a key set belongs to.
func sameHashes(a, b *keys) (bool, error) {
	of := func(k *keys) ([]byte, error) { return k.hashes.ComputePrimaryPRF([]byte("same"), hashSize) }
	first, err1 := of(a)
	second, err2 := of(b)
	return bytes.Equal(first, second), errors.Join(err1, err2)
}

// Replace writes another key set into the key file and uses it: at any moment
// the file is whole, the former one or the new one.
func (v *Vault) Replace(set *KeySet) error {
	if !v.HasFile() {
		return ErrNoFile
	}
	v.changing.Lock()
	defer v.changing.Unlock()
	if err := writeKeyFile(v.path, set); err != nil {
		return fmt.Errorf("write master key file: %w", err)
	}
	return v.reload(0)
}

// writeKeyFile puts a key set in the place of another. What a killed program
// has left beside it is overwritten: there are no forgotten copies of keys.
func writeKeyFile(path string, set *KeySet) error {
	data, err := set.Text()
	if err != nil {
		return err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	former, err := os.Stat(path)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, keepOwner(file, former), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
