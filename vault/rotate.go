package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNoFile says that the master key is not in a file: it can only be changed
// where it is kept.
var ErrNoFile = errors.New("the master key is not in a key file")

// ErrLacksKey says that the key file is a former one: somebody has put it back.
var ErrLacksKey = errors.New("the master key file does not have a key that it had before")

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

// reload reads the key file if it has changed. It must have the wanted key if the
// vault has it, which may be the last one that has; otherwise the one in use.
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
	set, info, err := v.readFile()
	if err != nil {
		return err
	}
	now := v.keys.Load()
	if now.set.Has(wanted) && !set.Has(wanted) {
		return fmt.Errorf("%w: key %s; %s has changed and is not used", ErrLacksKey, wanted, v.path)
	}
	sealing, lacking := now.sealing, now.lacking
	if set.Has(wanted) {
		sealing, lacking = wanted, 0
	}
	k, err := newKeys(set, sealing)
	if err != nil {
		return fmt.Errorf("master key file %s has changed and is not used: %w", v.path, err)
	}
	k.lacking = lacking
	v.keys.Store(k)
	v.file = info
	return nil
}

// readFile reads the key file, which must belong to the vault's database: the
// key of the hashes never changes, and tells which one that is.
func (v *Vault) readFile() (*KeySet, fs.FileInfo, error) {
	set, info, err := readKeyFile(v.path)
	if err != nil {
		return nil, nil, err
	}
	theirs, err1 := set.mark()
	ours, err2 := v.KeySet().mark()
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(theirs, ours) {
		return nil, nil, fmt.Errorf("master key file %s is not used: it is the key of another database", v.path)
	}
	return set, info, nil
}

// CheckFile reads the key file, if there is one, and returns an error unless it
// has a key now; ErrLacksKey when it is a former file, and may be written again.
func (v *Vault) CheckFile(id KeyID) error {
	if !v.HasFile() {
		return nil
	}
	set, _, err := v.readFile()
	if err == nil && !set.Has(id) {
		err = fmt.Errorf("%w: key %s", ErrLacksKey, id)
	}
	return err
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

// mountedError says what to do about a key file that cannot be replaced because
// it is a mount point, as in a container that was given the one file.
func mountedError(err error) error {
	if !errors.Is(err, syscall.EBUSY) {
		return err
	}
	return fmt.Errorf("%w: if the key file alone is mounted here, nobody can replace it from inside; mount the folder that it is in, "+
		"or run this where the file itself is", err)
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
	if err = errors.Join(err, KeepOwner(file, former), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(mountedError(err), os.Remove(fresh))
	}
	return syncFolder(filepath.Dir(path))
}
