package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"payout/payoutform"
	"payout/web"
)

// A screen is what a picture is taken on.
type screen struct {
	name          string
	width, height int64 // pixels of CSS
	mobile        bool
}

var (
	screens = []screen{{"phone", 360, 740, true}, {"desktop", 1280, 900, false}}
	schemes = []string{"light", "dark"}
)

// still keeps a page from leaving by itself while its picture is taken.
const still = "HTMLFormElement.prototype.requestSubmit = function () {};"

// pictureMax is the time that one story may take in all its pictures.
const pictureMax = time.Minute

// photograph writes a picture of every story in each language, on each screen
// and in both colour schemes: FOLDER/STORY-LANGUAGE-SCREEN-SCHEME.png. A page
// that is wider than its screen is an error.
func photograph(ctx context.Context, root, folder, only string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	defer stopBrowser()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	if err := chromedp.Do(ctx, command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: still})); err != nil {
		return fmt.Errorf("start Chromium: %w", err)
	}
	count := 0
	for _, story := range payoutform.Stories() {
		if !strings.Contains(story.Name, only) {
			continue
		}
		for _, lang := range web.Languages() {
			n, err := pictures(ctx, root, folder, story.Name, lang)
			if err != nil {
				return fmt.Errorf("%s in %s: %w", story.Name, lang.Name(), err)
			}
			count += n
		}
	}
	fmt.Printf("%d pictures are in %s\n", count, folder)
	return nil
}

// pictures takes those of one story in one language.
func pictures(ctx context.Context, root, folder, story string, lang web.Lang) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, pictureMax)
	defer cancel()
	count := 0
	for _, on := range screens {
		for _, scheme := range schemes {
			err := chromedp.Do(ctx,
				command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
					Width: on.width, Height: on.height, DeviceScaleFactor: 1, Mobile: on.mobile}),
				command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
				chromedp.Navigate(fmt.Sprintf("%s/%s?lang=%s", root, story, lang)))
			if err != nil {
				return count, err
			}
			width, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
			if err != nil {
				return count, err
			}
			if width > on.width {
				return count, fmt.Errorf("it is %d pixels wide on a %s of %d", width, on.name, on.width)
			}
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				return count, err
			}
			name := fmt.Sprintf("%s-%s-%s-%s.png", story, lang, on.name, scheme)
			if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
				return count, err
			}
			count++
		}
	}
	return count, nil
}

// command makes an action of a command of the browser.
func command[P, R any](c cdp.Command[P, R], parameters P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, parameters)
		return chromedp.Void{}, err
	}
}
