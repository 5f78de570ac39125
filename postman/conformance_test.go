package postman_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"payout/server/servertest"
	"payout/spec"
)

// A tree is a part of the OpenAPI document.
type tree = map[string]any

// answerOf is what the document says of a command's answer with an HTTP status.
func answerOf(t *testing.T, document tree, command string, status int) tree {
	t.Helper()
	operation := document["paths"].(tree)["/api/"+command+"/{endpointId}"].(tree)["post"].(tree)
	answer, ok := operation["responses"].(tree)[fmt.Sprint(status)].(tree)
	if !ok {
		t.Fatalf("%s is answered with HTTP %d, which the document does not have", command, status)
	}
	name := answer["$ref"].(string)
	return document["components"].(tree)["responses"].(tree)[name[strings.LastIndexByte(name, '/')+1:]].(tree)
}

// TestRealRepliesFitTheOpenAPIDocument puts what the gateway answers to every
// request of the collection into the document, as examples, and has it checked.
func TestRealRepliesFitTheOpenAPIDocument(t *testing.T) {
	s := servertest.Start(t)
	var document tree
	check(t, json.Unmarshal(served(t, s, "openapi.json"), &document))
	r := newman(t, signer(t, s.Key), served(t, s, "postman.json"))[0]
	seen := make(map[string]bool)
	for i, q := range r.Requests {
		command, asked, _ := strings.Cut(q.Name, ":")
		if asked == " status" {
			command = spec.StatusV4.Path() // both status commands have one reply
		}
		seen[command] = true
		content := answerOf(t, document, command, q.Code)["content"].(tree)
		media, value := content["application/vnd.pay+json"], any(nil)
		if q.Code == http.StatusForbidden {
			media, value = content["text/html"], q.Body
		} else {
			check(t, json.Unmarshal([]byte(q.Body), &value))
		}
		answer := media.(tree)
		examples, ok := answer["examples"].(tree)
		if !ok {
			examples = tree{"first": tree{"value": answer["example"]}}
			delete(answer, "example")
		}
		examples[fmt.Sprintf("real%d", i)] = tree{"value": value}
		answer["examples"] = examples
	}
	if len(seen) != len(spec.Commands) {
		t.Errorf("only %d commands were sent", len(seen))
	}
	text, err := json.Marshal(document)
	check(t, err)
	file := filepath.Join(t.TempDir(), "openapi.json")
	check(t, os.WriteFile(file, text, 0o600))
	output, err := exec.CommandContext(t.Context(), "node", filepath.Join(npm, "openapi.mjs"), file).Output()
	check(t, err)
	var verdict struct {
		Examples int               `json:"examples"`
		Faults   []json.RawMessage `json:"faults"`
	}
	check(t, json.Unmarshal(output, &verdict))
	for _, fault := range verdict.Faults {
		t.Errorf("%s", fault)
	}
	if verdict.Examples < 400+len(r.Requests) {
		t.Errorf("only %d examples were checked", verdict.Examples)
	}
}
