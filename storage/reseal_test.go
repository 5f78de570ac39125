package storage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

func sealedColumn(t *testing.T, name string) storage.SealedColumn {
	t.Helper()
	for _, c := range storage.SealedColumns() {
		if c.String() == name {
			return c
		}
	}
	t.Fatalf("there is no sealed column %s", name)
	return storage.SealedColumn{}
}

// twoKeys opens a database with a vault that has two keys and seals under the
// first; second makes it use the other one.
func twoKeys(t *testing.T, database string) (db *storage.DB, v *vault.Vault, second func()) {
	t.Helper()
	set, err := vault.NewKeySet()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.WithNewKey(noon); err != nil {
		t.Fatal(err)
	}
	text, err := set.Text()
	if err != nil {
		t.Fatal(err)
	}
	db, v, err = storage.OpenWithKey(t.Context(), database, vault.Source{Text: payout.Secret(text)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, v, func() {
		t.Helper()
		err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.SetSealingKey(set.Newest()) })
		if err := errors.Join(err, db.FollowKey(t.Context())); err != nil {
			t.Fatal(err)
		}
		if v.Sealing() != set.Newest() {
			t.Fatalf("seals under %s, the database wants %s", v.Sealing(), set.Newest())
		}
	}
}

func eachEngine(t *testing.T, body func(t *testing.T, database string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { body(t, storagetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { body(t, storagetest.Postgres(t)) })
}

// fill stores something in every sealed column and returns the orders.
func fill(t *testing.T, db *storage.DB) []payout.OrderID {
	t.Helper()
	party := addParty(t, db, "merchant")
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
		project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
		if err != nil {
			return err
		}
		gate, err := tx.AddGate(payout.Gate{Name: "Bank", Processor: "simulator", Concurrency: 1, Settings: map[string]string{"password": "s"}, Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Name: "E", Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, CallbackURL: "https://merchant.example.com/cb", Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []payout.OrderID
	for i := range 10 {
		o := stored(t, db, fmt.Sprintf("order-%d", i))
		journal(t, db, entry(party, payout.SerialNumber(i+1)))
		ids = append(ids, o.ID)
		accept(t, db, storage.Acceptance{CardRef: &payout.CardRef{ID: payout.CardRefIDMin + payout.CardRefID(i), PartyID: party, OrderID: o.ID,
			Unique: 7, Card: "4444555566661111", CreatedAt: noon}})
		moved, err := db.Move(storage.Move{OrderID: o.ID, From: payout.Starting, Event: payout.Send, To: payout.Sending, At: noon, DueAt: noon, GateID: 5,
			Callback: &payout.Callback{OrderID: o.ID, Receiver: "merchant.example.com:443", URL: "https://merchant.example.com/cb", State: payout.CallbackDue, DueAt: noon}})
		if err != nil || !moved {
			t.Fatal(moved, err)
		}
	}
	return ids
}

// resealAll seals everything again, a few values at a time, and tells how much.
func resealAll(t *testing.T, db *storage.DB, c storage.SealedColumn) (changed int) {
	t.Helper()
	for after, more := int64(storage.BeforeSealed), true; more; {
		part, err := db.Reseal(t.Context(), c, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if part.Missed != 0 || len(part.Broken) != 0 || part.More && part.Last <= after {
			t.Fatalf("%s after %d: %+v", c, after, part)
		}
		changed += part.Changed
		after, more = part.Last, part.More
	}
	return changed
}

func TestResealedValuesAreWhatTheyWereUnderTheNewKeyAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, second := twoKeys(t, database)
		ids := fill(t, db)
		old := v.Sealing()
		second()
		for _, c := range storage.SealedColumns() {
			before, err := db.CountSealed(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if before[old] == 0 || len(before) != 1 {
				t.Errorf("%s has %v: the test is blind there", c, before)
			}
			if got := resealAll(t, db, c); int64(got) != before[old] {
				t.Errorf("%s: %d were sealed again, want %d", c, got, before[old])
			}
			if got := resealAll(t, db, c); got != 0 {
				t.Errorf("%s: %d were sealed again twice", c, got)
			}
			after, err := db.CountSealed(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if len(after) != 1 || after[v.Sealing()] != before[old] {
				t.Errorf("%s had %v and has %v", c, before, after)
			}
		}
		only, err := v.KeySet().Only(v.Sealing())
		if err != nil {
			t.Fatal(err)
		}
		text, err := only.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := storage.OpenWithKey(t.Context(), database, vault.Source{Text: payout.Secret(text)})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		readEverything(t, again, ids)
	})
}

// readEverything opens one value of each kind that fill has stored.
func readEverything(t *testing.T, db *storage.DB, ids []payout.OrderID) {
	t.Helper()
	for i, id := range ids {
		o, err := db.Order(t.Context(), id)
		if err != nil || o.Params["account_number"] != "1234567890" {
			t.Errorf("order %s: %v, %v", id, o, err)
		}
		card, err := db.CardRef(t.Context(), 1, payout.CardRefIDMin+payout.CardRefID(i))
		if err != nil || card.Card != "4444555566661111" {
			t.Errorf("card %d: %v", i, err)
		}
	}
	d, err := db.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := d.PartyByLogin("merchant"); p == nil || p.ControlKey != "key" {
		t.Error("the control key is lost")
	}
	for _, g := range d.Gates {
		if g.Settings["password"] != "s" {
			t.Errorf("gate %s has the settings %v", g.Name, g.Settings)
		}
	}
	if d.Endpoints[39915].CallbackURL != "https://merchant.example.com/cb" {
		t.Error("the callback URL of the endpoint is lost")
	}
	callbacks, err := db.ClaimCallbacks(nil, noon, noon.Sub(noon), 100, 100, nil)
	if err != nil || len(callbacks) != len(ids) {
		t.Fatalf("%d callbacks, %v", len(callbacks), err)
	}
	for _, c := range callbacks {
		if c.URL != "https://merchant.example.com/cb" {
			t.Errorf("the URL of callback %d is lost", c.ID)
		}
	}
}

func TestValueThatChangedMeanwhileIsNotOverwritten(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, _ := twoKeys(t, database)
		ids := fill(t, db)
		column := sealedColumn(t, "orders.params_sealed")
		stale, err := v.Seal([]byte("{}"), "order "+ids[0].String())
		if err != nil {
			t.Fatal(err)
		}
		affected, err := db.Exchange(t.Context(), column, [][]any{{int64(ids[0]), stale, stale}, {int64(ids[1]), stale, stale}})
		if err != nil || !slices.Equal(affected, []int64{0, 0}) {
			t.Errorf("changed %v rows, %v", affected, err)
		}
		readEverything(t, db, ids)
	})
}

func TestForgottenCardStaysForgotten(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, _, second := twoKeys(t, database)
		fill(t, db)
		err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.DeleteCardRef(payout.CardRefIDMin) })
		if err != nil {
			t.Fatal(err)
		}
		second()
		if got := resealAll(t, db, sealedColumn(t, "card_refs.card_sealed")); got != 9 {
			t.Errorf("%d cards were sealed again, want 9", got)
		}
	})
}

func TestBrokenValueIsNamedAndStopsNoOther(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, second := twoKeys(t, database)
		ids := fill(t, db)
		column := sealedColumn(t, "orders.params_sealed")
		good := rawParams(t, database, ids[3])
		bad := append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1)
		if affected, err := db.Exchange(t.Context(), column, [][]any{{int64(ids[3]), bad, good}}); err != nil || affected[0] != 1 {
			t.Fatal(affected, err)
		}
		second()
		part, err := db.Reseal(t.Context(), column, storage.BeforeSealed, 100)
		if err != nil || part.Changed != 9 || !slices.Equal(part.Broken, []string{"order " + ids[3].String()}) {
			t.Errorf("%+v, %v", part, err)
		}
		counts, err := db.CountSealed(t.Context(), column)
		if err != nil || counts[v.Sealing()] != 9 || counts[vault.KeyOf(good)] != 1 {
			t.Errorf("%v, %v", counts, err)
		}
	})
}

// rawParams reads the sealed parameters of an order.
func rawParams(t *testing.T, database string, id payout.OrderID) (sealed []byte) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(database, "postgres") {
		driver, database = "pgx", strings.Replace(database, "&pool_max_conns=8", "", 1)
	}
	raw, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.QueryRowContext(t.Context(), "SELECT params_sealed FROM orders WHERE id = $1", int64(id)).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	return sealed
}

// A sealed column that rotation does not know would be lost with its old key.
func TestRotationKnowsEverySealedColumn(t *testing.T) {
	file := storagetest.SQLite(t)
	storagetest.Open(t, file)
	raw, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.QueryContext(t.Context(), `SELECT t.name || '.' || c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND c.name LIKE '%sealed%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := make(map[string]bool)
	for _, c := range storage.SealedColumns() {
		known[c.String()] = true
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !known[name] {
			t.Errorf("SealedColumns does not have %s", name)
		}
		delete(known, name)
	}
	if err := rows.Err(); err != nil || len(known) > 0 {
		t.Errorf("no table has %v; %v", known, err)
	}
}

func TestOnlyOneRotatesAtATime(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		other := storagetest.Again(t, db)
		release, err := db.RotateAlone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, second := range []*storage.DB{db, other} {
			if _, err := second.RotateAlone(t.Context()); !errors.Is(err, storage.ErrAlone) {
				t.Errorf("a second rotation: %v", err)
			}
		}
		stored(t, other, "a") // writers go on
		if err := release(); err != nil {
			t.Fatal(err)
		}
		release, err = other.RotateAlone(t.Context())
		if err != nil {
			t.Fatalf("after the end of the first: %v", err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	})
}

func TestKeySetThatLacksTheSealingKeyOpensNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		_, v, second := twoKeys(t, database)
		first, err := v.KeySet().Only(v.KeySet().Primary())
		if err != nil {
			t.Fatal(err)
		}
		text, err := first.Text()
		if err != nil {
			t.Fatal(err)
		}
		second()
		_, _, err = storage.OpenWithKey(t.Context(), database, vault.Source{Text: payout.Secret(text)})
		if err == nil || !strings.Contains(err.Error(), "newer master key") {
			t.Errorf("an old copy of the master key: %v", err)
		}
	})
}
