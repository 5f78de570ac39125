package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"payout"
	"payout/storage"
)

// The journal is for people who look what became of their requests; nothing that
// moves money reads it. So it may lose entries, and must not cost requests
// anything: each party's entries come at a bounded pace into a bounded queue,
// and one worker writes them.

// A journalPace says how many entries of a share are kept.
type journalPace struct {
	share  payout.JournalShare
	second rate.Limit // entries a second, in the long run
	burst  int        // entries at once
	keep   int        // newest entries that stay
}

// journalPaces has a row for each share: 1,000 entries of each party stay.
var journalPaces = []journalPace{
	{payout.ShareChanges, 20, 300, 600},
	{payout.ShareReads, 5, 100, 200},
	{payout.ShareUnproven, 1, 60, 200},
}

const (
	journalDays     = 14 * 24 * time.Hour    // older entries are forgotten
	journalQueue    = 1024                   // entries that wait for the worker
	journalBatch    = 128                    // entries in one transaction
	journalPause    = 200 * time.Millisecond // between transactions, so that requests go first
	journalSlack    = 50                     // entries more than keep before a share is pruned
	journalSweep    = time.Hour              // between sweeps for old entries
	journalAtOnce   = 100                    // parties swept in one transaction
	journalPatience = 5 * time.Second        // longest write at the stop
)

// A journal is the way of entries into the database. The zero value is ready.
type journal struct {
	once    sync.Once
	queue   chan payout.JournalEntry
	parties sync.Map // payout.PartyID to *partyJournal
}

// A partyJournal counts the entries of one party.
type partyJournal struct{ shares []journalCount }

type journalCount struct {
	limiter *rate.Limiter
	missed  atomic.Int64 // requests that were not kept since the last entry
	added   int          // entries since the share was pruned; of the worker alone
}

func (j *journal) entries() chan payout.JournalEntry {
	j.once.Do(func() { j.queue = make(chan payout.JournalEntry, journalQueue) })
	return j.queue
}

func (j *journal) of(party payout.PartyID, share payout.JournalShare) *journalCount {
	found, ok := j.parties.Load(party)
	if !ok {
		fresh := &partyJournal{shares: make([]journalCount, len(journalPaces))}
		for i, pace := range journalPaces {
			fresh.shares[i].limiter = rate.NewLimiter(pace.second, pace.burst)
			fresh.shares[i].added = journalSlack // who was there before is not known
		}
		found, _ = j.parties.LoadOrStore(party, fresh)
	}
	return &found.(*partyJournal).shares[paceOf(share)]
}

func paceOf(share payout.JournalShare) int {
	return slices.IndexFunc(journalPaces, func(p journalPace) bool { return p.share == share })
}

// Journal puts a request into its party's journal, unless too many came just
// before it; entry is called only if there is room. It never waits.
func (g *Gateway) Journal(party payout.PartyID, share payout.JournalShare, at time.Time, entry func() payout.JournalEntry) {
	if g.Settings.NoJournal {
		return
	}
	count := g.journal.of(party, share)
	if !count.limiter.AllowN(at, 1) {
		count.missed.Add(1)
		g.Metrics.unkept(unkeptPace, 1)
		return
	}
	e := entry()
	e.PartyID, e.Share, e.At, e.Missed = party, share, at, int(count.missed.Swap(0))
	select {
	case g.journal.entries() <- e:
	default:
		g.unkept(unkeptQueue, []payout.JournalEntry{e})
	}
}

// unkept counts entries that were to be kept and could not be.
func (g *Gateway) unkept(why string, entries []payout.JournalEntry) {
	for _, e := range entries {
		g.journal.of(e.PartyID, e.Share).missed.Add(int64(1 + e.Missed))
	}
	g.Metrics.unkept(why, len(entries))
}

// runJournal writes entries until the context ends, and then those that wait.
func (g *Gateway) runJournal(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case first := <-g.journal.entries():
			// More will come: they share the transaction. The loop looks at the context.
			_ = pause(ctx, journalPause)
			g.journalWorker(g.waiting([]payout.JournalEntry{first}))
		}
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalPatience)
	defer cancel()
	for stopping.Err() == nil {
		batch := g.waiting(nil)
		if len(batch) == 0 {
			return
		}
		g.journalWorker(batch)
	}
}

func (g *Gateway) journalWorker(batch []payout.JournalEntry) {
	if err := g.guarded(func() error { return g.writeJournal(batch) }); err != nil {
		g.Log.Error("journal was not written", "entries", len(batch), "error", err)
		g.unkept(unkeptWrite, batch)
	}
}

// waiting adds what waits in the queue to a batch.
func (g *Gateway) waiting(batch []payout.JournalEntry) []payout.JournalEntry {
	for len(batch) < journalBatch {
		select {
		case e := <-g.journal.entries():
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// WriteJournal writes the entries that wait, as the worker of Run does now and
// then, and tells how many there were: for tests.
func (g *Gateway) WriteJournal() (int, error) {
	n := 0
	for {
		batch := g.waiting(nil)
		if len(batch) == 0 {
			return n, nil
		}
		if err := g.writeJournal(batch); err != nil {
			return n, err
		}
		n += len(batch)
	}
}

// writeJournal stores a batch and prunes what has grown too long.
func (g *Gateway) writeJournal(batch []payout.JournalEntry) error {
	long := make(map[*journalCount]payout.JournalEntry)
	for _, e := range batch {
		count := g.journal.of(e.PartyID, e.Share)
		if count.added++; count.added >= journalSlack {
			long[count] = e
		}
	}
	err := g.DB.Transact(context.Background(), g.Now(), func(tx *storage.Tx) error {
		if err := tx.AddJournal(batch); err != nil {
			return err
		}
		for _, e := range long {
			if err := tx.PruneJournal(e.PartyID, e.Share, journalPaces[paceOf(e.Share)].keep); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for count := range long {
			count.added = 0
		}
	}
	return err
}

// forgetJournal deletes old entries, the parties' one after the other.
func (g *Gateway) forgetJournal(ctx context.Context) error {
	before := g.Now().Add(-journalDays)
	var failures []error
	for parties := range slices.Chunk(storage.Sorted(g.Directory().Parties), journalAtOnce) {
		ids := make([]payout.PartyID, len(parties))
		for i, p := range parties {
			ids[i] = p.ID
		}
		if err := g.DB.Transact(ctx, g.Now(), func(tx *storage.Tx) error { return tx.ForgetJournal(ids, before) }); err != nil {
			failures = append(failures, err)
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	return errors.Join(failures...)
}
