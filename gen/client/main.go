// Client writes the generated files of package client: a typed request and a
// method for each command, a typed reply for each kind of reply, and the types of
// callback and redirect. It reads the tables of packages spec and callback, and
// nothing of it is edited by hand.
//
// go generate ./client runs it, in the folder of the package.
package main

import (
	"log"
	"os"

	"payout/callback"
	"payout/spec"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen/client: ")
	files, err := generate(spec.Commands, callback.Fields, callback.RedirectFields)
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
