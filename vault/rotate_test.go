package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"payout"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func openFile(t *testing.T, path string) *Vault {
	t.Helper()
	return must[*Vault](t)(Open(path))
}

func seal(t *testing.T, v *Vault) []byte {
	t.Helper()
	return must[[]byte](t)(v.Seal([]byte("x"), "p"))
}

// opens tells whether a vault opens what seal has sealed.
func opens(v *Vault, sealed []byte) bool {
	plain, err := v.Open(sealed, "p")
	return err == nil && string(plain) == "x"
}

func TestSealedValueTellsItsKey(t *testing.T) {
	v := fresh(t)
	if got, want := KeyOf(seal(t, v)), v.KeySet().Primary(); got != want || got == 0 {
		t.Errorf("sealed under %s, want %s", got, want)
	}
	if got, want := KeyOf(seal(t, v)[:prefixSize]), v.KeySet().Primary(); got != want {
		t.Errorf("the prefix tells %s, want %s", got, want)
	}
	for _, not := range [][]byte{nil, {}, {1, 0, 0, 0}, {0, 0, 0, 0, 7, 1}, []byte("hello world")} {
		if got := KeyOf(not); got != 0 {
			t.Errorf("KeyOf(%q) = %s", not, got)
		}
	}
}

func TestKeySetKeepsItsOrderItsTimesAndItsHashes(t *testing.T) {
	first := must[*KeySet](t)(NewKeySet())
	second := must[*KeySet](t)(first.WithNewKey(noon))
	third := must[*KeySet](t)(second.WithNewKey(noon.Add(time.Hour)))
	text := must[[]byte](t)(third.Text())
	if strings.Contains(string(text), "\n") {
		t.Error("the text has several lines, which the environment takes badly")
	}
	again := must[*KeySet](t)(ParseKeySet(text))
	keys := again.Keys()
	if len(keys) != 3 || keys[0].ID != first.Newest() || keys[1].ID != second.Newest() || keys[2].ID != third.Newest() {
		t.Fatalf("keys are %v", keys)
	}
	if !keys[0].Primary || keys[1].Primary || keys[2].Primary || again.Primary() != keys[0].ID {
		t.Errorf("a new key is the primary at once: %v", keys)
	}
	if !keys[0].AddedAt.IsZero() || !keys[1].AddedAt.Equal(noon) || !keys[2].AddedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("times are %v", keys)
	}
	only := must[*KeySet](t)(again.Only(keys[1].ID))
	if left := only.Keys(); len(left) != 1 || left[0].ID != keys[1].ID || !left[0].Primary || !left[0].AddedAt.Equal(noon) {
		t.Errorf("only key %s: %v", keys[1].ID, left)
	}
	before, after := must[*Vault](t)(newVault(first)), must[*Vault](t)(newVault(only))
	if a, b := before.Hash("card", "1"), after.Hash("card", "1"); string(a) != string(b) {
		t.Error("the hashes have changed: nothing would be found any more")
	}
	if opens(after, seal(t, before)) {
		t.Error("a removed key still opens")
	}
	if _, err := again.WithPrimary(keys[0].ID + 1); err == nil && !again.Has(keys[0].ID+1) {
		t.Error("an unknown key became the primary")
	}
}

func TestRunningVaultNoticesAKeyFileThatHasChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	running, rotating := openFile(t, path), openFile(t, path)
	old := seal(t, running)
	more := must[*KeySet](t)(rotating.KeySet().WithNewKey(noon))
	if err := rotating.Replace(more); err != nil {
		t.Fatal(err)
	}
	if got := KeyOf(seal(t, rotating)); got != KeyOf(old) {
		t.Error("seals under a key that others may not know yet")
	}
	if err := rotating.Follow(more.Newest()); err != nil {
		t.Fatal(err)
	}
	// The running one has not looked at the file since: opening makes it look.
	if now := seal(t, rotating); KeyOf(now) != more.Newest() || !opens(running, now) {
		t.Error("a value under the new key does not open")
	}
	if !opens(running, old) || running.Sealing() != KeyOf(old) {
		t.Error("the old key is forgotten, or the new one used unasked")
	}
	if err := running.Follow(more.Newest()); err != nil {
		t.Fatal(err)
	}
	if err := rotating.Replace(must[*KeySet](t)(more.Only(more.Newest()))); err != nil {
		t.Fatal(err)
	}
	if err := running.Reload(); err != nil {
		t.Fatal(err)
	}
	if opens(running, old) || KeyOf(seal(t, running)) != more.Newest() {
		t.Error("the old key is still known after its end")
	}
}

// A gateway whose key file was forgotten in a rotation must not write what
// nobody else can open.
func TestVaultThatLacksTheWantedKeySealsNothingUntilItHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	v, rotating := openFile(t, path), openFile(t, path)
	old := seal(t, v)
	more := must[*KeySet](t)(rotating.KeySet().WithNewKey(noon))
	for range 2 {
		if err := v.Follow(more.Newest()); err == nil {
			t.Error("a key is used that is not there")
		}
		if _, err := v.Seal([]byte("x"), "p"); err == nil {
			t.Error("sealed under a key that was not wanted")
		}
	}
	if !opens(v, old) {
		t.Error("what it has the key of is not opened any more")
	}
	if err := rotating.Replace(more); err != nil {
		t.Fatal(err)
	}
	if err := v.Reload(); err != nil || KeyOf(seal(t, v)) != more.Newest() {
		t.Errorf("with the key: %v", err)
	}
	if err := v.Follow(0); err != nil || KeyOf(seal(t, v)) != KeyOf(old) {
		t.Errorf("back to the primary: %v", err)
	}
}

func TestChangedKeyFileIsPrivateAloneAndWhereItWas(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.key"), filepath.Join(dir, "master.key")
	openFile(t, path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	// What a killed rotation has left, readable by all.
	if err := os.WriteFile(path+".new", []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	v := openFile(t, link)
	if err := v.Replace(must[*KeySet](t)(v.KeySet().WithNewKey(noon))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the key file is %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files, want the key and its link", len(entries))
	}
	if got := len(openFile(t, link).KeySet().Keys()); got != 2 {
		t.Errorf("%d keys, want 2", got)
	}
}

// No copy of the keys stays behind where nobody looks for one.
func TestKeyFileThatCannotBeReplacedLeavesNoCopy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key") // a folder: no file can be put in its place
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeKeyFile(path, must[*KeySet](t)(NewKeySet())); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v are there, %v", entries, err)
	}
}

func TestMountedKeyFileIsToldWithWhatToDo(t *testing.T) {
	busy := &os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EBUSY}
	if err := mountedError(busy); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "mount the folder") {
		t.Error(err)
	}
	if err := mountedError(os.ErrPermission); err != os.ErrPermission {
		t.Error(err)
	}
}

func TestUnusableKeyFileLeavesARunningVaultAlone(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "master.key"), filepath.Join(t.TempDir(), "other.key")
	v := openFile(t, path)
	sealed := seal(t, v)
	openFile(t, other)
	another := must[[]byte](t)(os.ReadFile(other))
	for what, content := range map[string]string{"damaged": "SECRET", "another database's": string(another)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := v.Reload(); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", what, err)
		}
		if !opens(v, sealed) {
			t.Errorf("%s: the vault has lost its key", what)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	later := must[*KeySet](t)(v.KeySet().WithNewKey(noon))
	without := must[[]byte](t)(must[*KeySet](t)(later.Only(later.Newest())).Text())
	if err := os.WriteFile(path, without, 0o600); err != nil {
		t.Fatal(err)
	}
	// Another database, which has the same key file by mistake, was rotated.
	if err := v.Follow(0); err == nil || !opens(v, sealed) || !opens(v, seal(t, v)) {
		t.Errorf("the key in use is gone from the file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := v.Reload(); err != nil || !opens(v, sealed) {
		t.Errorf("a key file that was taken away: %v", err)
	}
}

// Configuration management, say, puts a former key file back. A gateway that has
// the key that is wanted must not forget it: it may be the last one that has it.
func TestKeyFileThatWasPutBackDoesNotTakeTheWantedKeyAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	v := openFile(t, path)
	before := must[[]byte](t)(os.ReadFile(path))
	more := must[*KeySet](t)(v.KeySet().WithNewKey(noon))
	if err := v.Replace(more); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckFile(more.Newest()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckFile(more.Newest()); !errors.Is(err, ErrLacksKey) {
		t.Errorf("looked for the new key: %v", err)
	}
	if err := v.Follow(more.Newest()); !errors.Is(err, ErrLacksKey) {
		t.Errorf("the file lacks the key, and that is not told: %v", err)
	}
	if got := KeyOf(seal(t, v)); got != more.Newest() {
		t.Errorf("seals under %s, want %s", got, more.Newest())
	}
	if err := v.Replace(v.KeySet()); err != nil || v.CheckFile(more.Newest()) != nil {
		t.Errorf("written again: %v, %v", err, v.CheckFile(more.Newest()))
	}
}

func TestKeyFileOfAnotherDatabaseIsNotAFormerOne(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "master.key"), filepath.Join(t.TempDir(), "other.key")
	v := openFile(t, path)
	openFile(t, other)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckFile(v.Sealing()); err == nil || errors.Is(err, ErrLacksKey) {
		t.Errorf("it may be overwritten: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckFile(v.Sealing()); err == nil {
		t.Error("a file that is gone has the key")
	}
}

func TestKeyComesFromTextOrCommandWithoutATrace(t *testing.T) {
	text := must[[]byte](t)(must[*KeySet](t)(NewKeySet()).Text())
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "master.key")
	byText := must[*Vault](t)(Source{File: missing, Text: payout.Secret(text)}.Open(t.Context()))
	byCommand := must[*Vault](t)(Source{File: missing, Command: "cat " + file}.Open(t.Context()))
	if !opens(byCommand, seal(t, byText)) {
		t.Error("text and command give different keys")
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a key file was made beside another source")
	}
	if byText.HasFile() || !errors.Is(byText.Replace(byText.KeySet()), ErrNoFile) {
		t.Error("a key that is not in a file was replaced")
	}
	if err := byText.Reload(); err != nil {
		t.Error(err)
	}
}

func TestFailedKeyCommandIsToldWithoutItsWords(t *testing.T) {
	for command, want := range map[string]string{
		"echo SECRET; echo SECRET >&2; exit 3": "exit status 3",
		"echo SECRET":                          "not a payoutd master key",
		"kill -9 $$ # SECRET":                  "killed",
		"head -c 2000000 /dev/zero":            "",
	} {
		_, err := Source{Command: command}.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", command, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Source{Command: "echo SECRET"}).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := (Source{Command: "true", Text: "{}"}).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "two sources") {
		t.Errorf("two sources: %v", err)
	}
}
