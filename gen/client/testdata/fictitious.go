// Fictitious calls commands that no table has, by the methods that the generator
// makes of them, and checks what arrives at the server and what comes back.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"payout/client"
	"payout/sign"
)

const (
	login      = "Merchant"
	controlKey = "key"
)

func main() {
	log.SetFlags(0)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(err)
		form, err := sign.ParseForm(string(body))
		check(err)
		switch r.URL.Path {
		case "/paynet/api/v4/gift-card/group/7":
			verify(r, form, key)
			same(body, "client_orderid=a+b&greeting-text=%D0%B9%2B~&pin=1234&extra=e&format=f&later=l&login=Merchant")
			fmt.Fprint(w, "type=gift-response\n&gift-id=9%2B\n&reply=thanks\n&left=3\n&unknown=u\n")
		case "/paynet/api/v2/undo/7":
			same(body, "client_orderid=1&amount=10.42&currency=USD&login=Merchant&control="+sign.Control("7", login, "1", "1042", "USD", controlKey))
			fmt.Fprint(w, "type=async-response\n&serial-number=5\n")
		case "/paynet/api/v4/do/7":
			verify(r, form, key)
			same(body, "client_orderid=2")
			fmt.Fprint(w, `{"type":"status-response","status":"approved","error-code":4}`)
		default:
			log.Fatal("called ", r.URL.Path)
		}
	}))
	defer server.Close()
	call(&client.Client{BaseURL: server.URL + "/paynet", Login: login, Key: key, ControlKey: controlKey})
	fmt.Println("all replies read")
}

func call(c *client.Client) {
	ctx := context.Background()
	request := client.GiftCardRequest{ClientOrderID: "a b", GreetingText: "й+~", Pin: "1234", ExtraParam: "e", FormatParam: "f",
		Extra: []sign.Pair{{Name: "later", Value: "l"}}}
	gift, err := c.GiftCard(ctx, client.Group(7), request)
	check(err)
	same(fmt.Append(nil, gift.Type, gift.GiftID, gift.ReplyParam, gift.Left, gift.Reply.Get("unknown")), "gift-response9+thanks3u")
	if text := fmt.Sprintf("%v %+v %#v", request, request, request); strings.Contains(text, "1234") || !strings.Contains(text, "***") {
		log.Fatal("printed ", text)
	}
	undone, err := c.UndoV2(ctx, client.Endpoint(7), client.UndoV2Request{ClientOrderID: "1", Amount: "10.42", Currency: "USD"})
	check(err)
	same([]byte(undone.SerialNumber), "5")
	done, err := c.DoCommand(ctx, client.Endpoint(7), client.DoCommandRequest{ClientOrderID: "2"})
	check(err)
	same(fmt.Append(nil, done.Status, done.ErrorCode), "approved4")
}

func verify(r *http.Request, form []sign.Pair, key *rsa.PrivateKey) {
	o, err := sign.ParseAuthorization(r.Header.Get("Authorization"))
	check(err)
	same([]byte(o.ConsumerKey), login)
	check(sign.Verify(sign.Request{Method: r.Method, URL: "http://" + r.Host + r.URL.Path, Form: form}, o, []*rsa.PublicKey{&key.PublicKey}))
}

func same(got []byte, want string) {
	if string(got) != want {
		log.Fatalf("got  %s\nwant %s", got, want)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
