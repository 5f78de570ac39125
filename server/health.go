package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"payout/storage"
)

const (
	probeMost  = 2 * time.Second // longest wait for the write that asks
	probeEvery = 5 * time.Second // while all is well
	probeSoon  = time.Second     // while it is not, so that the end is seen soon
)

// Health knows whether the database takes writes. It says so in the log when that
// changes, not each time that it is asked.
type health struct {
	db  *storage.DB
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	err   error     // why it takes none; nil: it does
	since time.Time // when err appeared
}

// check asks the database, by a write. It has no caller's context: one that goes
// away says nothing of the database.
func (h *health) check() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeMost)
	defer cancel()
	err := h.db.Writable(ctx)
	h.note(err)
	return err
}

// note keeps what the database has answered.
func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.err
	h.err = err
	switch {
	case before == nil && err != nil:
		h.since = h.now()
		h.log.Error("the database takes no writes; requests are refused until it does", "error", err)
	case before != nil && err == nil:
		h.log.Info("the database takes writes again", "after", h.now().Sub(h.since).Round(time.Millisecond).String())
	}
}

// sick is the last answer's error.
func (h *health) sick() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// run asks now and then until the context ends.
func (h *health) run(ctx context.Context) {
	for {
		pause := probeEvery
		if h.check() != nil {
			pause = probeSoon
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
