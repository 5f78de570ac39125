package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/storage/storagetest"
)

// A note puts requests into a journal.
type note struct {
	*house
	clock  time.Time
	party  payout.PartyID
	serial payout.SerialNumber
}

func newNote(t *testing.T, db *storage.DB, settings gateway.Settings) *note {
	n := &note{house: newHouse(t, db, &railFunc{pay: approve}, settings), clock: time.Now().Round(0)}
	n.Now = func() time.Time { return n.clock }
	t.Cleanup(n.Callbacks.Close)
	n.party = n.Directory().PartyByLogin("TestMerchant").ID
	return n
}

// notes puts n requests of a share into the journal, at one moment, and returns
// for how many it was asked what they are.
func (n *note) notes(party payout.PartyID, share payout.JournalShare, count int) (asked int) {
	for range count {
		n.serial++
		n.Journal(party, share, n.clock, func() payout.JournalEntry {
			asked++
			return payout.JournalEntry{Serial: n.serial, Verdict: payout.VerdictOK, HTTPStatus: 200}
		})
	}
	return asked
}

func (n *note) write() {
	n.t.Helper()
	if _, err := n.WriteJournal(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *note) read(party payout.PartyID) []payout.JournalEntry {
	n.t.Helper()
	got, err := n.db.Journal(n.t.Context(), party, storage.JournalFilter{}, 10000)
	if err != nil {
		n.t.Fatal(err)
	}
	return got
}

// A busy party's requests cost a counter beyond its pace; the next entry that is
// kept tells how many are missing before it.
func TestJournalKeepsAPaceAndTellsWhatIsMissing(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	if asked := n.notes(n.party, payout.ShareChanges, 1000); asked != 300 {
		t.Errorf("%d of 1000 at once were kept, want 300", asked)
	}
	n.clock = n.clock.Add(time.Second)
	if asked := n.notes(n.party, payout.ShareChanges, 1000); asked != 20 {
		t.Errorf("%d of 1000 a second later were kept, want 20", asked)
	}
	n.write()
	got := n.read(n.party)
	if len(got) != 320 {
		t.Fatalf("%d entries", len(got))
	}
	first := got[len(got)-301] // after the pause
	if first.Missed != 700 || got[len(got)-300].Missed != 0 {
		t.Errorf("the entry after the gap tells of %d missing", first.Missed)
	}
}

// Strangers who name a party fill their own share, and polls theirs; what the
// party did stays.
func TestSharesDoNotPushEachOtherOut(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		n := newNote(t, db, gateway.Settings{})
		n.notes(n.party, payout.ShareChanges, 10)
		n.write()
		for range 900 {
			n.clock = n.clock.Add(time.Second)
			n.notes(n.party, payout.ShareUnproven, 3)
			n.notes(n.party, payout.ShareReads, 1)
			n.write()
		}
		counts := make(map[payout.JournalShare]int)
		for _, e := range n.read(n.party) {
			counts[e.Share]++
		}
		for share, want := range map[payout.JournalShare][2]int{payout.ShareChanges: {10, 10}, payout.ShareUnproven: {200, 250}, payout.ShareReads: {200, 250}} {
			if got := counts[share]; got < want[0] || got > want[1] {
				t.Errorf("%d entries of %s, want %v", got, share, want)
			}
		}
		if len(counts) != 3 {
			t.Errorf("%v", counts)
		}
	})
}

// One party's flood does not take another one's place, and a queue that nobody
// empties refuses instead of waiting.
func TestJournalNeverWaits(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	for party := range payout.PartyID(10) {
		n.notes(party+100, payout.ShareChanges, 300) // more than the queue holds
	}
	written := 0
	for party := range payout.PartyID(10) {
		n.clock = n.clock.Add(time.Second)
		k, err := n.WriteJournal()
		if err != nil {
			t.Fatal(err)
		}
		written += k
		n.notes(party+100, payout.ShareChanges, 1)
	}
	n.write()
	kept, missed := 0, 0
	for party := range payout.PartyID(10) {
		for _, e := range n.read(party + 100) {
			kept++
			missed += e.Missed
		}
	}
	if kept+missed != 3010 || missed == 0 || written < 1000 {
		t.Errorf("%d kept and %d told of as missing, want 3010 together", kept, missed)
	}
}

// What could not be written is told of as missing, too.
func TestJournalThatCannotBeWrittenIsTold(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	n.Journal(n.party, payout.ShareChanges, n.clock, func() payout.JournalEntry {
		return payout.JournalEntry{Serial: 1, Verdict: "no such verdict"} // the table refuses it
	})
	if _, err := n.WriteJournal(); err == nil {
		t.Fatal("it was written")
	}
	n.run()
	n.Journal(n.party, payout.ShareChanges, n.clock, func() payout.JournalEntry {
		return payout.JournalEntry{Serial: 2, Verdict: "no such verdict"}
	})
	serial := payout.SerialNumber(2)
	await(t, "an entry that tells of the missing one", func() bool {
		serial++
		n.Journal(n.party, payout.ShareReads, n.clock, func() payout.JournalEntry {
			return payout.JournalEntry{Serial: serial, Verdict: payout.VerdictOK}
		})
		return len(n.read(n.party)) > 0
	})
}

func TestNoJournalIsKeptWhenItIsSwitchedOff(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{NoJournal: true})
	if asked := n.notes(n.party, payout.ShareChanges, 3); asked != 0 {
		t.Errorf("asked for %d entries", asked)
	}
	n.write()
	if got := n.read(n.party); len(got) != 0 {
		t.Errorf("%d entries", len(got))
	}
}

// The worker writes by itself, and what waits at the stop is written then.
func TestJournalIsWrittenByTheWorkersAndAtTheStop(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		n := newNote(t, db, gateway.Settings{})
		n.Run(stopped(t))
		n.notes(n.party, payout.ShareChanges, 1)
		n.Run(stopped(t))
		if got := n.read(n.party); len(got) != 1 {
			t.Errorf("%d entries after the stop", len(got))
		}
		n.run()
		n.notes(n.party, payout.ShareChanges, 1)
		await(t, "the second entry", func() bool { return len(n.read(n.party)) == 2 })
	})
}

func TestReasonsOfDenialsAreListedOnce(t *testing.T) {
	seen := make(map[gateway.Denial]bool)
	for _, d := range gateway.Denials() {
		if seen[d] || strings.Trim(string(d), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q", d)
		}
		seen[d] = true
	}
}

// stopped is a context that has ended.
func stopped(t *testing.T) context.Context {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return ctx
}

// BenchmarkJournalBeyondItsPace is what the journal costs a request of a busy
// party: all but 20 a second.
func BenchmarkJournalBeyondItsPace(b *testing.B) {
	var g gateway.Gateway
	now := time.Now()
	for range 1000 {
		g.Journal(1, payout.ShareChanges, now, func() payout.JournalEntry { return payout.JournalEntry{} })
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Journal(1, payout.ShareChanges, now, func() payout.JournalEntry { return payout.JournalEntry{} })
		}
	})
}

func TestMetricsTellHowManyEntriesWait(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(n.Collector())
	waiting := func() float64 {
		t.Helper()
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "payoutd_journal_waiting" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("there is no metric of it")
		return 0
	}
	n.notes(n.party, payout.ShareReads, 3)
	if got := waiting(); got != 3 {
		t.Errorf("%g wait, want 3", got)
	}
	n.write()
	if got := waiting(); got != 0 {
		t.Errorf("%g wait after they were written", got)
	}
}
