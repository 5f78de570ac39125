// Command storybook shows every page of the Receiver in every state, without a
// database: it serves them, or writes pictures of them.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/alecthomas/kong"

	"payout/payoutform"
)

// arguments are the command line.
type arguments struct {
	Listen    string `help:"Address to serve on." default:"localhost:8090"`
	Templates string `help:"Folder with an operator's form.html, wait.html and finish.html." type:"existingdir"`
	Out       string `help:"Write pictures of every story to this folder, by Chromium, and end."`
	Only      string `help:"With --out: only the stories whose name has this in it."`
}

func main() {
	var a arguments
	kong.Parse(&a, kong.Name("storybook"), kong.Description("Every page in every state."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, a); err != nil {
		fmt.Fprintln(os.Stderr, "storybook:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, a arguments) error {
	pages, err := payoutform.NewPages(a.Templates)
	if err != nil {
		return err
	}
	address := a.Listen
	if a.Out != "" {
		address = "localhost:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	site := &http.Server{Handler: payoutform.Storybook(pages), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- site.Serve(listener) }()
	defer site.Close()
	root := "http://" + listener.Addr().String()
	if a.Out != "" {
		return photograph(ctx, root, a.Out, a.Only)
	}
	fmt.Println("The storybook is open at", root)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}
