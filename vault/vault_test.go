package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/prf"
)

func TestKeyFileIsMadeOnceAndReadByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "master.key")
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %04o, want 0600", info.Mode().Perm())
	}
	sealed, err := first.Seal([]byte("1234567890"), "order 1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := second.Open(sealed, "order 1")
	if err != nil || string(plain) != "1234567890" {
		t.Errorf("second start opens %q, %v", plain, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files beside the key, want the key alone", len(entries)-1)
	}
}

func TestNodesThatStartAtOnceAgreeOnOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	const nodes = 8
	vaults := make([]*Vault, nodes)
	var wait sync.WaitGroup
	for i := range vaults {
		wait.Go(func() {
			v, err := Open(path)
			if err != nil {
				t.Error(err)
			}
			vaults[i] = v
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	sealed, err := vaults[0].Seal([]byte("x"), "p")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vaults {
		if _, err := v.Open(sealed, "p"); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
}

func TestKeyFileReadableByOthersIsRefused(t *testing.T) {
	for mode, accepted := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o666: false} {
		path := filepath.Join(t.TempDir(), "master.key")
		if _, err := Open(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if accepted != (err == nil) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if !accepted && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: the error does not say what to do: %v", mode, err)
		}
	}
}

func TestDamagedKeyFileIsRefusedWithoutQuotingIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	for _, content := range []string{"", "SECRET", `{"seal":{},"hash":{}}`, `{"seal":"SECRET"}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("content %q: %v", content, err)
		}
	}
}

func TestSealedValueOpensOnlyInItsPlaceAndWithItsKey(t *testing.T) {
	v, other := fresh(t), fresh(t)
	sealed, err := v.Seal([]byte("79031234567"), "order 1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("79031234567")) {
		t.Error("the sealed value shows the plain one")
	}
	if _, err := v.Open(sealed, "order 2"); err == nil {
		t.Error("opened at another place")
	}
	if _, err := other.Open(sealed, "order 1"); err == nil {
		t.Error("opened with another key")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := v.Open(sealed, "order 1"); err == nil {
		t.Error("opened after a bit was changed")
	}
}

func TestHashIsStableKeyedAndByKind(t *testing.T) {
	v, other := fresh(t), fresh(t)
	hash := func(v *Vault, kind, value string) string {
		return string(v.Hash(kind, value))
	}
	first := hash(v, "account", "1")
	if again := hash(v, "account", "1"); again != first {
		t.Error("equal values have different hashes")
	}
	for what, h := range map[string]string{"another value": hash(v, "account", "2"), "another kind": hash(v, "phone", "1"),
		"another key": hash(other, "account", "1")} {
		if h == first {
			t.Errorf("%s has the same hash", what)
		}
	}
}

// Hashes are those of the library's primitive: what is stored is found again.
func TestHashIsThatOfTheKeySet(t *testing.T) {
	v := fresh(t)
	set, err := prf.NewPRFSet(v.KeySet().hash)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 100 {
		wait.Go(func() {
			value := strings.Repeat("1", i)
			want, err := set.ComputePrimaryPRF([]byte("account\x00"+value), hashSize)
			if err != nil {
				t.Error(err)
			}
			if got := v.Hash("account", value); !bytes.Equal(got, want) {
				t.Errorf("the hash of %d characters is %x, want %x", i, got, want)
			}
		})
	}
	wait.Wait()
}

func TestMaskShowsLastFourOfLongValuesOnly(t *testing.T) {
	for value, want := range map[string]string{"": "", "1234": "****", "1234567": "*******", "12345678": "****5678",
		"1234567890": "******7890", "Счёт№12345": "******2345"} {
		if got := Mask(value); got != want {
			t.Errorf("Mask(%q) = %q, want %q", value, got, want)
		}
	}
}

func fresh(t *testing.T) *Vault {
	t.Helper()
	v, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func BenchmarkSeal(b *testing.B) {
	v, err := New()
	if err != nil {
		b.Fatal(err)
	}
	plain := bytes.Repeat([]byte("x"), 300)
	for b.Loop() {
		if _, err := v.Seal(plain, "order 1"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	v, err := New()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v.Hash("account", "1234567890")
	}
}
