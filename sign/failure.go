package sign

import "slices"

// A Rule names a rule of signing that a request can break. Its text is short
// and stable, fit for a log field or a metric's label.
type Rule string

// The rules, in the order in which they are checked.
const (
	RuleAuthorization   Rule = "authorization-missing"
	RuleScheme          Rule = "scheme"
	RuleHeader          Rule = "header-malformed"
	RuleRepeated        Rule = "parameter-repeated"
	RuleUnknown         Rule = "parameter-unknown"
	RuleMissing         Rule = "parameter-missing"
	RuleMethod          Rule = "signature-method"
	RuleVersion         Rule = "version"
	RuleTimestamp       Rule = "timestamp"
	RuleURL             Rule = "url"
	RuleQueryOAuth      Rule = "query-oauth"
	RuleBodyOnly        Rule = "body-oauth-only"
	RuleBodyDiffers     Rule = "body-oauth-differs"
	RuleBodyRepeated    Rule = "body-oauth-repeated"
	RuleBase64          Rule = "signature-base64"
	RuleKey             Rule = "key"
	RuleSignatureLength Rule = "signature-length"
	RuleSignature       Rule = "signature-mismatch"
)

// A RuleRow is one row of the table of rules.
type RuleRow struct {
	Rule Rule
	Text string // what is wrong when the rule is broken, and where to look
}

var rules = []RuleRow{
	{RuleAuthorization, "the request has no Authorization header"},
	{RuleScheme, "the Authorization header does not begin with the scheme OAuth"},
	{RuleHeader, `the Authorization header is not a list of name="percent-encoded value"`},
	{RuleRepeated, "a parameter stands twice in the Authorization header"},
	{RuleUnknown, "the Authorization header has a parameter that is neither oauth_* nor realm"},
	{RuleMissing, "a required oauth_ parameter is missing or empty"},
	{RuleMethod, "oauth_signature_method has to be " + SignatureMethod},
	{RuleVersion, "oauth_version, if sent, has to be " + Version},
	{RuleTimestamp, "oauth_timestamp has to be a positive whole number of seconds"},
	{RuleURL, "the method is empty or the URL is not an absolute http or https URL"},
	{RuleQueryOAuth, "an oauth_ parameter stands in the URL's query"},
	{RuleBodyOnly, "an oauth_ parameter of the body is missing in the Authorization header"},
	{RuleBodyDiffers, "an oauth_ parameter of the body differs from the Authorization header"},
	{RuleBodyRepeated, "an oauth_ parameter stands twice in the body"},
	{RuleBase64, "oauth_signature is not standard base64 with padding"},
	{RuleKey, "there is no usable RSA key of 2048 to 4096 bits"},
	{RuleSignatureLength, "oauth_signature is not as long as the key: cut short, or made with another key"},
	{RuleSignature, "oauth_signature does not belong to this request and key: compare the base strings"},
}

// Rules returns the table of rules in the order in which they are checked, for
// documentation and for metrics that want all labels from the start.
func Rules() []RuleRow { return slices.Clone(rules) }

// Text returns what is wrong when the rule is broken; it is empty if there is
// no such rule.
func (r Rule) Text() string {
	for _, row := range rules {
		if row.Rule == r {
			return row.Text
		}
	}
	return ""
}

// A Failure is the error of ParseAuthorization, BaseString, Verify and Sign. It
// says which rule is broken. It holds names and sizes only, never a value of
// the body, so it can be logged; the client gets the 403 page and no more.
type Failure struct {
	Rule   Rule
	Detail string // a parameter's name or a size; may be empty
}

// Error gives the rule's text and the detail.
func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Rule.Text()
	}
	return f.Rule.Text() + " (" + f.Detail + ")"
}

// orNil keeps a nil *Failure from becoming an error that is not nil.
func (f *Failure) orNil() error {
	if f == nil {
		return nil
	}
	return f
}
