package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"unicode/utf8"

	"payout"
	"payout/storage"
	"payout/web"
)

const (
	logoMax      = 64 << 10 // bytes
	brandNameMax = 64       // characters
)

var logoTypes = []string{"image/png", "image/jpeg", "image/webp"}

type endpointBrandCmd struct {
	stored
	ID       int64   `arg:"" help:"The endpoint's id."`
	Name     *string `help:"Who pays, as the Receiver knows them; empty: the party's name."`
	Accent   *string `placeholder:"#RRGGBB" help:"Colour of buttons and links; made readable where it is not; empty: ours."`
	Language *string `placeholder:"en|ru" help:"For browsers that ask for no language that we have; empty: en."`
	Logo     *string `placeholder:"FILE" help:"Picture beside the name, PNG, JPEG or WebP of at most 64 KiB; empty: none."`
}

// Run changes how an endpoint's pages look; what is not named stays.
func (c endpointBrandCmd) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		endpoint := d.Endpoints[payout.EndpointID(c.ID)]
		if endpoint == nil {
			return fmt.Errorf("there is no endpoint %d", c.ID)
		}
		brand, err := c.brand(endpoint.Brand)
		if err != nil {
			return err
		}
		if err := tx.SetBrand(endpoint.ID, brand); err != nil {
			return err
		}
		t.printf("endpoint %d: name %q, accent %q, language %q, logo of %d bytes\n", c.ID, brand.Name, brand.Accent, brand.Language, len(brand.Logo))
		return nil
	})
}

// brand is the old brand with the changes.
func (c endpointBrandCmd) brand(b payout.Brand) (payout.Brand, error) {
	if c.Name != nil {
		if b.Name = *c.Name; utf8.RuneCountInString(b.Name) > brandNameMax {
			return b, fmt.Errorf("--name has more than %d characters", brandNameMax)
		}
	}
	if c.Accent != nil {
		if b.Accent = *c.Accent; b.Accent != "" {
			if _, err := web.AccentSheet(b.Accent); err != nil {
				return b, fmt.Errorf("--accent %s: %w", b.Accent, err)
			}
		}
	}
	if c.Language != nil {
		if b.Language = *c.Language; b.Language != "" && !slices.Contains(web.Languages(), web.Lang(b.Language)) {
			return b, fmt.Errorf("--language %s: choose among %v", b.Language, web.Languages())
		}
	}
	if c.Logo == nil {
		return b, nil
	}
	if b.Logo = nil; *c.Logo == "" {
		return b, nil
	}
	picture, err := os.ReadFile(*c.Logo)
	if err != nil {
		return b, fmt.Errorf("--logo: %w", err)
	}
	switch kind := http.DetectContentType(picture); {
	case len(picture) > logoMax:
		return b, fmt.Errorf("--logo %s has %d bytes; at most %d are taken", *c.Logo, len(picture), logoMax)
	case !slices.Contains(logoTypes, kind):
		return b, fmt.Errorf("--logo %s is %s; PNG, JPEG and WebP are taken", *c.Logo, kind)
	}
	b.Logo = picture
	return b, nil
}
