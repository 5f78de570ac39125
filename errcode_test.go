package payout

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorCodesAreUniqueAndComplete(t *testing.T) {
	texts := make(map[string]ErrCode)
	for _, row := range errCodes {
		if codeRows[row.Code] != row {
			t.Errorf("code %d stands in two rows", row.Code)
		}
		if other, ok := texts[row.Text]; ok {
			t.Errorf("codes %d and %d have the same text", other, row.Code)
		}
		texts[row.Text] = row.Code
		if row.Text == "" || row.Doc.EN == "" || row.Doc.RU == "" {
			t.Errorf("code %d has no text or no documentation", row.Code)
		}
		switch row.Kind {
		case KindValidation, KindError:
			if row.HTTP < 400 || row.HTTP > 599 {
				t.Errorf("code %d has HTTP status %d", row.Code, row.HTTP)
			}
		case KindOutcome:
			if row.HTTP != 0 || row.Transport {
				t.Errorf("code %d is an outcome and no reply", row.Code)
			}
		default:
			t.Errorf("code %d has kind %q", row.Code, row.Kind)
		}
		if row.Kind == KindValidation && row.Code != CodeEncoding && !strings.Contains(row.Text, "{param}") {
			t.Errorf("code %d does not name the parameter", row.Code)
		}
	}
}

func TestErrorNamesParameterAndRule(t *testing.T) {
	cause := errors.New("cause")
	err := &Error{Code: CodeTooLong, Param: "purpose", Detail: "at most 128 characters", Err: cause}
	if got, want := err.Error(), "Parameter purpose is too long: at most 128 characters"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, cause) || strings.Contains(err.Error(), "cause") {
		t.Error("the cause must be wrapped, and not be told")
	}
}

func TestUnknownCodeReadsAsInternal(t *testing.T) {
	if got := ErrCode(12345).Row().Code; got != CodeInternal {
		t.Errorf("code %d", got)
	}
}

func TestSamplesOfErrorsHaveNothingLeftToFillIn(t *testing.T) {
	for _, row := range ErrCodes() {
		if text := row.Code.Sample().Error(); strings.ContainsAny(text, "{}") || strings.HasSuffix(text, ": ") || strings.Contains(text, "  ") {
			t.Errorf("%d: %q", row.Code, text)
		}
	}
}
