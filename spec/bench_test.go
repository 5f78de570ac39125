package spec

import (
	"testing"

	"payout/sign"
)

// BenchmarkParse parses the payout of page 3.26: seven parameters of a table of thirty.
func BenchmarkParse(b *testing.B) {
	form, err := sign.ParseForm("account_name=1234&account_number=1234&amount=10.42&client_orderid=1&currency=USD" +
		"&routing_number=15&server_callback_url=https%3A%2F%2Fhttpstat.us%2F200")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Payout.Parse(form); err != nil {
			b.Fatal(err)
		}
	}
}
