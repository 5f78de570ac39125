package gateway

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

// An Archiving moves what belongs to old orders into archives, one file for each
// month, while gateways serve. It may be killed at any moment: the next one goes
// on where it was, and nothing is removed before its copy is on disk and has been
// compared (storage/archive.go).
type Archiving struct {
	DB       *storage.DB
	Vault    *vault.Vault
	Folder   string    // of the archives
	Before   time.Time // orders that were made and ended before are old
	Keep     bool      // copy only
	Now      func() time.Time
	Progress func(done, total int64) // ids of orders looked at

	archives map[string]*storage.DB
}

// Archived tells what an Archiving has done.
type Archived struct {
	Orders  int            // moved, or copied if they are kept
	Files   map[string]int // orders by file
	Refused int            // requests that were refused and made no order, moved or copied
	Open    int            // old orders that stay because they are not final
	Owing   int            // old orders that stay because a callback is still owed
	Recent  int            // old orders that stay because they ended late
	Missed  int            // old orders that stay because they changed meanwhile
	First   payout.OrderID // the first that stays; 0: none does
}

// ArchiveName is the name of the archive of a month.
func ArchiveName(created time.Time) string {
	return "orders-" + created.UTC().Format("2006-01") + ".db"
}

// Run archives.
func (a *Archiving) Run(ctx context.Context) (done Archived, err error) {
	release, err := a.DB.RotateAlone(ctx) // a rotation must not leave values under its old key in an archive
	if errors.Is(err, storage.ErrAlone) {
		return done, errors.New("another archive or a rotation of this database's key is running")
	}
	if err != nil {
		return done, err
	}
	a.archives = make(map[string]*storage.DB)
	if err = os.MkdirAll(a.Folder, 0o700); err == nil {
		done, err = a.run(ctx)
	}
	for _, archive := range a.archives {
		err = errors.Join(err, archive.Close())
	}
	return done, errors.Join(err, release())
}

func (a *Archiving) run(ctx context.Context) (done Archived, err error) {
	done.Files = make(map[string]int)
	up, err := a.DB.ArchivedUpTo(ctx)
	if err != nil {
		return done, err
	}
	first, border, err := a.border(ctx, up)
	if err != nil {
		return done, err
	}
	if err := a.passedBy(ctx, up, &done); err != nil {
		return done, err
	}
	after, whole := first-1, true // whole: all up to here are archived
	for ctx.Err() == nil {
		began := a.Now()
		page, err := a.DB.OldOrders(ctx, after, storage.ArchiveMost)
		if err != nil {
			return done, err
		}
		if len(page) == 0 || page[0].ID > border && !a.anyOld(page) {
			break
		}
		stays, err := a.archive(ctx, page, &done)
		if err != nil {
			return done, err
		}
		if whole {
			up, whole = lastWhole(page, up, stays)
		}
		after = page[len(page)-1].ID
		a.Progress(min(int64(after-first+1), int64(border-first+1)), int64(border-first+1))
		_ = pause(ctx, a.Now().Sub(began)) // the loop looks at the context
	}
	if ctx.Err() == nil {
		if err := a.refused(ctx, &done); err != nil {
			return done, err
		}
	}
	if !a.Keep {
		err = a.DB.Transact(context.WithoutCancel(ctx), a.Now(), func(tx *storage.Tx) error { return tx.SetArchivedUpTo(up) })
	}
	return done, errors.Join(err, ctx.Err())
}

// passedBy archives orders that were made with ids below those that are all archived, up
// to here, by a node that had held a block of ids for long. They are found by their
// history, which archived orders have none of.
func (a *Archiving) passedBy(ctx context.Context, up payout.OrderID, done *Archived) error {
	for after := payout.OrderID(0); ctx.Err() == nil; {
		began := a.Now()
		id, err := a.DB.NextMoved(ctx, after)
		if err != nil || id == 0 || id > up {
			return err
		}
		page, err := a.DB.OldOrders(ctx, id-1, storage.ArchiveMost)
		if err != nil {
			return err
		}
		page = slices.DeleteFunc(page, func(o storage.OldOrder) bool { return o.ID > up })
		if _, err := a.archive(ctx, page, done); err != nil {
			return err
		}
		if after = id; len(page) > 0 {
			after = max(id, page[len(page)-1].ID)
		}
		_ = pause(ctx, a.Now().Sub(began)) // the loop looks at the context
	}
	return nil // the caller looks at the context too
}

// refused archives the requests that were refused.
func (a *Archiving) refused(ctx context.Context, done *Archived) error {
	for after := payout.SerialNumber(0); ctx.Err() == nil; {
		began := a.Now()
		page, err := a.DB.RefusedRequests(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].Serial
		byFile := make(map[string][]storage.OldRequest)
		for _, r := range page {
			if r.At.Before(a.Before) {
				byFile[ArchiveName(r.At)] = append(byFile[ArchiveName(r.At)], r)
			}
		}
		if len(byFile) == 0 {
			return nil
		}
		for name, requests := range byFile {
			file, err := a.file(ctx, name)
			if err == nil {
				err = a.DB.ArchiveRefused(ctx, file, requests, a.Keep)
			}
			if err != nil {
				return err
			}
			done.Refused += len(requests)
		}
		_ = pause(ctx, a.Now().Sub(began)) // the loop looks at the context
	}
	return ctx.Err()
}

// lastWhole tells up to which id all orders are archived, and whether a page was
// archived as a whole.
func lastWhole(page []storage.OldOrder, up payout.OrderID, stays map[payout.OrderID]bool) (payout.OrderID, bool) {
	for _, o := range page {
		if stays[o.ID] {
			return up, false
		}
		up = o.ID
	}
	return up, true
}

// anyOld reports whether an order of a page was made before the border in time:
// ids follow the time but roughly, since each node takes them in blocks.
func (a *Archiving) anyOld(page []storage.OldOrder) bool {
	for _, o := range page {
		if o.CreatedAt.Before(a.Before) {
			return true
		}
	}
	return false
}

// border finds the ids between which to look: the first that is not archived, and
// about the last that is old.
func (a *Archiving) border(ctx context.Context, up payout.OrderID) (first, border payout.OrderID, err error) {
	first, last, err := a.DB.OrderIDs(ctx)
	if err != nil {
		return 0, 0, err
	}
	first = max(first, up+1)
	low, high := first, last+1 // the first young one is in between
	for low < high {
		middle := low + (high-low)/2
		found, err := a.DB.OldOrders(ctx, middle-1, 1)
		if err != nil {
			return 0, 0, err
		}
		if len(found) == 0 || !found[0].CreatedAt.Before(a.Before) {
			high = middle
		} else {
			low = found[0].ID + 1
		}
	}
	return first, max(low-1, first), nil
}

// archive archives what it may of a page, and tells which orders stay.
func (a *Archiving) archive(ctx context.Context, page []storage.OldOrder, done *Archived) (stays map[payout.OrderID]bool, err error) {
	stays = make(map[payout.OrderID]bool)
	stay := func(o storage.OldOrder, why *int) {
		stays[o.ID] = true
		if *why++; done.First == 0 {
			done.First = o.ID
		}
	}
	byFile := make(map[string][]storage.OldOrder)
	for _, o := range page {
		switch {
		case o.Archived:
		case !o.CreatedAt.Before(a.Before):
			stays[o.ID] = true
		case o.FinalAt.IsZero():
			stay(o, &done.Open)
		case o.Owes:
			stay(o, &done.Owing)
		case !o.FinalAt.Before(a.Before):
			stay(o, &done.Recent)
		default:
			o.Form, o.Receipt = a.keys(o.ID)
			byFile[ArchiveName(o.CreatedAt)] = append(byFile[ArchiveName(o.CreatedAt)], o)
		}
	}
	for name, orders := range byFile {
		file, err := a.file(ctx, name)
		if err != nil {
			return nil, err
		}
		moved, err := a.DB.Archive(ctx, file, orders, a.Keep)
		if err != nil {
			return nil, err
		}
		for _, o := range orders {
			if !moved[o.ID] {
				stay(o, &done.Missed)
			}
		}
		done.Orders += len(moved)
		done.Files[name] += len(moved)
	}
	return stays, nil
}

// keys are by what an order's rows are found that no index leads to.
func (a *Archiving) keys(id payout.OrderID) (form []byte, receipt payout.ReceiptID) {
	g := &Gateway{Vault: a.Vault}
	return g.formHash(id), g.receiptID(id)
}

func (a *Archiving) file(ctx context.Context, name string) (*storage.DB, error) {
	if archive := a.archives[name]; archive != nil {
		return archive, nil
	}
	archive, err := a.DB.OpenArchive(ctx, filepath.Join(a.Folder, name))
	if err == nil {
		a.archives[name] = archive
	}
	return archive, err
}
