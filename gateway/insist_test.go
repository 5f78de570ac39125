package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/storage/storagetest"
)

// However long an outcome takes to be stored, and however often that is tried: who
// delivers its callback has it alone.
func TestCallbackOfAnOutcomeThatIsStoredLateIsDeliveredOnce(t *testing.T) {
	for name, test := range map[string]struct {
		result int32         // of the first commit's call to the disk
		sync   bool          // the call is its fsync
		late   time.Duration // how long that takes
	}{
		"stored at once":                 {storagetest.DiskFine, true, 0},
		"stored a little late":           {storagetest.DiskFine, true, 4 * time.Second},
		"stored when the lease is over":  {storagetest.DiskFine, true, 50 * time.Second},
		"refused for long, stored then":  {storagetest.DiskFull, false, 50 * time.Second},
		"unknown for long, stored again": {storagetest.DiskUnsynced, true, 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			disk := storagetest.NewDisk(t)
			db := storagetest.Open(t, disk.Database())
			var ahead atomic.Int64 // nanoseconds of the clock
			var h *house
			var came atomic.Int64
			var stolen atomic.Int64
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				came.Add(1)
				others, err := db.ClaimCallbacks(nil, h.Now(), time.Minute, 10, 10, nil)
				if err != nil {
					t.Error(err)
				}
				stolen.Add(int64(len(others)))
			}))
			defer receiver.Close()
			var failing atomic.Bool
			h = newHouse(t, db, &railFunc{pay: func(p processor.Payment) processor.Outcome {
				failing.Store(p.Receiver.AccountNumber == "late")
				return approve(p)
			}}, gateway.Settings{})
			h.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			disk.Fail(func(c storagetest.DiskCall) int32 {
				if !c.InLog() || c.Sync != test.sync || !failing.CompareAndSwap(true, false) {
					return storagetest.DiskFine
				}
				ahead.Add(int64(test.late))
				return test.result
			})
			h.run()
			delivered := func(id payout.OrderID) {
				await(t, "the callback", func() bool {
					callbacks, _, err := db.Callbacks(t.Context(), id)
					return err == nil && len(callbacks) == 1 && callbacks[0].State == payout.CallbackDelivered
				})
			}
			delivered(h.pay("first", receiver.URL)) // then the courier takes what comes to be owed
			came.Store(0)
			delivered(h.pay("late", receiver.URL))
			if came.Load() != 1 || stolen.Load() != 0 {
				t.Errorf("it came %d times, and another node has claimed it %d times meanwhile", came.Load(), stolen.Load())
			}
		})
	}
}
