package gateway_test

import (
	"errors"
	"testing"
	"time"

	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// Whoever only asks may ask again, whether or not the nonce was stored: the answer is
// "try again" and not "nobody knows".
func TestQuestionWhoseNonceMayBeStoredIsToBeAskedAgain(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	h := newHouse(t, db, nil, gateway.Settings{})
	r, err := spec.StatusV4.Parse([]sign.Pair{{Name: "login", Value: "TestMerchant"}, {Name: "client_orderid", Value: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	c := &gateway.Call{Command: spec.StatusV4, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: time.Now()}
	c.UseNonce("nonce", c.Now, time.Minute)
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.Sync {
			return storagetest.DiskUnsynced
		}
		return storagetest.DiskFine
	})
	_, err = h.Status(t.Context(), c, r)
	disk.Fail(nil)
	if !errors.Is(err, storage.ErrUnknown) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Status: %v, want ErrUnavailable because of ErrUnknown", err)
	}
}
