package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// addEndpoint adds a gate, an endpoint of it and a group of both, in one change.
func addEndpoint(ctx context.Context, db *storage.DB, n int, party payout.PartyID, project payout.ProjectID) error {
	return db.Transact(ctx, noon, func(tx *storage.Tx) error {
		gate, err := tx.AddGate(payout.Gate{Name: fmt.Sprintf("gate %d", n), Processor: "simulator", Concurrency: 1, Enabled: true})
		if err != nil {
			return err
		}
		endpoint, err := tx.AddEndpoint(payout.Endpoint{PartyID: party, ProjectID: project, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay, Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddGroup(payout.EndpointGroup{PartyID: party, Endpoints: []payout.EndpointID{endpoint}, Enabled: true})
		return err
	})
}

func addProject(t *testing.T, db *storage.DB) (project payout.ProjectID) {
	t.Helper()
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) (err error) {
		project, err = tx.AddProject(payout.Project{Name: "Main", Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// Who changes a gate has running gateways read the set-up again; everything else of the
// gate stays.
func TestAChangedGateIsANewDirectory(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var id payout.GateID
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check(db.Transact(t.Context(), noon, func(tx *storage.Tx) (err error) {
			id, err = tx.AddGate(payout.Gate{Name: "Bank", Processor: "simulator", Currencies: []payout.Currency{"EUR"}, Required: []string{"account_name"},
				Settings: map[string]string{"latency": "1ms"}, Concurrency: 32, Descriptor: "NORTHWIND", AskReceiver: true, Enabled: true})
			return err
		}))
		before, err := db.Directory(t.Context())
		check(err)
		check(db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.SetGate(id, 3, "SOUTHWIND") }))
		version, err := db.DirectoryVersion(t.Context())
		check(err)
		if version == before.Version {
			t.Error("running gateways are not told")
		}
		after, err := db.Directory(t.Context())
		check(err)
		want := *before.Gates[id]
		want.Concurrency, want.Descriptor = 3, "SOUTHWIND"
		if diff := cmp.Diff(&want, after.Gates[id]); diff != "" {
			t.Error(diff)
		}
		err = db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.SetGate(id+1, 3, "") })
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a gate that is not there: %v", err)
		}
	})
}

func TestDirectoryIsOfOneMomentWhileTheSetUpChanges(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const changes = 100
		party, project := addParty(t, db, "a"), addProject(t, db)
		ended := make(chan error, 1)
		go func() {
			var err error
			for n := 0; n < changes && err == nil; n++ {
				err = addEndpoint(t.Context(), db, n, party, project)
			}
			ended <- err
		}()
		for seen := 0; seen < changes; {
			d, err := db.Directory(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen = len(d.Endpoints)
			if len(d.Gates) != seen || len(d.Groups) != seen {
				t.Fatalf("%d gates, %d endpoints, %d groups", len(d.Gates), seen, len(d.Groups))
			}
			for id, e := range d.Endpoints {
				if len(e.Gates) != 1 {
					t.Fatalf("endpoint %s has the gates %v", id, e.Gates)
				}
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				ended = nil
			default:
			}
		}
	})
}

func TestDirectoryNamesNoGateOrEndpointThatIsNotThere(t *testing.T) {
	name := storagetest.SQLite(t)
	db := storagetest.Open(t, name)
	if err := addEndpoint(t.Context(), db, 1, addParty(t, db, "a"), addProject(t, db)); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", name) // without foreign keys
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, statement := range []string{"INSERT INTO endpoint_gates (endpoint_id, position, gate_id) SELECT id, 7, 4711 FROM endpoints",
		"INSERT INTO endpoint_group_members (group_id, position, endpoint_id) SELECT id, 7, 4711 FROM endpoint_groups"} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	d, err := db.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, e := range d.Endpoints {
		if len(e.Gates) != 1 || d.Gates[e.Gates[0]] == nil {
			t.Errorf("endpoint %s has the gates %v", id, e.Gates)
		}
	}
	for id, g := range d.Groups {
		if len(g.Endpoints) != 1 || d.Endpoints[g.Endpoints[0]] == nil {
			t.Errorf("group %d has the endpoints %v", id, g.Endpoints)
		}
	}
}
