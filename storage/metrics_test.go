package storage

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"payout"
)

// measured measures a database and reads its metrics.
func measured(t *testing.T, db *DB) func(name, label string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	db.Measure(r, time.Now)
	return func(name, label string) float64 {
		t.Helper()
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() != name {
				continue
			}
			for _, m := range family.GetMetric() {
				if label == "" || m.GetLabel()[0].GetValue() == label {
					return valueOf(m)
				}
			}
		}
		t.Fatalf("there is no %s %s", name, label)
		return 0
	}
}

// valueOf is a metric's value; a histogram's is its sum.
func valueOf(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
}

func TestCommitsAreCountedByTheirEndWithTheirWritesAndRows(t *testing.T) {
	db, sick := openSick(t)
	metric := measured(t, db)
	for i := range byte(3) {
		if _, err := db.Accept(sickNonce(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Accept(sickNonce(2)); err != nil { // used: nothing is stored
		t.Fatal(err)
	}
	sick.set(func(e *sickEngine) { e.beginErr = errSick })
	_, unavailable := db.Accept(sickNonce(4))
	sick.set(func(e *sickEngine) { e.beginErr, e.after = nil, errSick })
	_, unknown := db.Accept(sickNonce(5))
	if !errors.Is(unavailable, ErrUnavailable) || !errors.Is(unknown, ErrUnknown) {
		t.Fatal(unavailable, unknown)
	}
	for _, want := range []struct {
		name, label string
		value       float64
	}{
		{"payoutd_commits_total", "stored", 4}, {"payoutd_commits_total", "unavailable", 1}, {"payoutd_commits_total", "unknown", 1},
		{"payoutd_commits_total", "refused", 0}, {"payoutd_commit_writes", "", 6}, {"payoutd_commit_rows", "", 3},
		{"payoutd_nonces_stored_total", "", 3},
	} {
		if got := metric(want.name, want.label); got != want.value {
			t.Errorf("%s %s is %g, want %g", want.name, want.label, got, want.value)
		}
	}
	if took := metric("payoutd_commit_seconds", ""); took <= 0 || took > 60 {
		t.Errorf("payoutd_commit_seconds has a sum of %g", took)
	}
}

func TestFullQueueIsCountedAndTellsItsLength(t *testing.T) {
	db, sick := openSick(t)
	metric := measured(t, db)
	db.LimitWait(time.Hour)
	hangs := make(chan struct{})
	sick.set(func(e *sickEngine) { e.hangs = hangs })
	// However many are in the hanging commit, at least one finds no place.
	const callers = batchMax + queueMax + 1
	ended := make(chan error, callers)
	for i := range callers {
		go func() {
			_, err := db.Accept(Acceptance{Now: time.Now(), Nonce: &Nonce{PartyID: 1, Timestamp: int64(i), Hash: []byte{1}, Expires: time.Now()}})
			ended <- err
		}()
	}
	if err := <-ended; !errors.Is(err, ErrBusy) {
		t.Errorf("the first to be told is told %v", err)
	}
	if n := metric("payoutd_writes_refused_total", "full"); n < 1 {
		t.Errorf("%g refused", n)
	}
	if n := metric("payoutd_writes_waiting", ""); n != queueMax {
		t.Errorf("%g waiting", n)
	}
	close(hangs)
	for range callers - 1 {
		<-ended
	}
	if n := metric("payoutd_writes_waiting", ""); n != 0 {
		t.Errorf("%g waiting at the end", n)
	}
}

func TestQuestionsThatWaitForOthersAreCounted(t *testing.T) {
	db, _ := openSick(t)
	metric := measured(t, db)
	e := &gatedEngine{engine: db.engine, as: sqliteJoint, open: make(chan struct{})}
	const waiting = 3
	ended := make(chan error)
	for range sqliteJoint.atOnce + waiting {
		go func() {
			_, err := db.stand.byID.read(t.Context(), e, int64(1))
			ended <- err
		}()
	}
	for db.stand.waits() < waiting {
		runtime.Gosched()
	}
	if n := metric("payoutd_questions_waiting", ""); n != waiting {
		t.Errorf("%g waiting", n)
	}
	close(e.open)
	for range sqliteJoint.atOnce + waiting {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := metric("payoutd_questions_waiting", ""); n != 0 {
		t.Errorf("%g waiting at the end", n)
	}
}

func TestForgottenNoncesAreCountedAndTheOldestHasAnAge(t *testing.T) {
	db, _ := openSick(t)
	metric := measured(t, db)
	if age := metric("payoutd_nonce_oldest_age_seconds", ""); age != 0 {
		t.Errorf("without a nonce its age is %g", age)
	}
	now := time.Now()
	for i, age := range []time.Duration{time.Hour, time.Minute} {
		a := Acceptance{Now: now, Nonce: &Nonce{PartyID: 1, Timestamp: now.Add(-age).Unix(), Hash: []byte{byte(i)}, Expires: now.Add(-age + 30*time.Minute)},
			Request: &payout.Request{Serial: payout.SerialNumber(i + 1), At: now}}
		if _, err := db.Accept(a); err != nil {
			t.Fatal(err)
		}
	}
	if age := metric("payoutd_nonce_oldest_age_seconds", ""); age < 3600 || age > 3700 {
		t.Errorf("the oldest has an age of %g", age)
	}
	err := db.Transact(context.Background(), now, func(tx *Tx) error {
		_, err := tx.ForgetNonces(10)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := metric("payoutd_nonces_forgotten_total", ""); n != 1 {
		t.Errorf("%g forgotten", n)
	}
	if age := metric("payoutd_nonce_oldest_age_seconds", ""); age < 60 || age > 160 {
		t.Errorf("then the oldest has an age of %g", age)
	}
}

// BenchmarkMeasure is what measuring costs a commit, which many requests share.
func BenchmarkMeasure(b *testing.B) {
	m := &DB{commits: &committer{}}
	m.Measure(prometheus.NewRegistry(), time.Now)
	of := m.commits.metrics.Load()
	for b.Loop() {
		began := of.now()
		of.committed(began, 32, 100, nil)
		of.noncesStored(32)
	}
}
