// Asks the API server's own audit policy evaluator about cases.json and prints its verdicts: see README.md.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"

	auditinstall "k8s.io/apiserver/pkg/apis/audit/install"
	auditpkg "k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

type request struct {
	User        string   `json:"user"`
	Groups      []string `json:"groups"`
	Verb        string   `json:"verb"`
	IsResource  bool     `json:"is_resource_request"`
	Path        string   `json:"path"`
	APIGroup    string   `json:"api_group"`
	Resource    string   `json:"resource"`
	Subresource string   `json:"subresource"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
}

type question struct {
	Policy   string    `json:"policy"`
	Requests []request `json:"requests"`
}

// [level, omitted stages, omitManagedFields], or a refusal of the policy as a whole
type answer struct {
	Refused  bool    `json:"refused,omitempty"`
	Verdicts [][]any `json:"verdicts,omitempty"`
}

func main() {
	auditinstall.Install(auditpkg.Scheme)
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	answers := make([]answer, 0, len(questions))
	for _, q := range questions {
		answers = append(answers, ask(q))
	}
	out, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(out))
}

func ask(q question) answer {
	loaded, err := policy.LoadPolicyFromBytes([]byte(q.Policy))
	if err != nil {
		return answer{Refused: true}
	}
	evaluator := policy.NewPolicyRuleEvaluator(loaded)
	verdicts := make([][]any, 0, len(q.Requests))
	for _, r := range q.Requests {
		config := evaluator.EvaluatePolicyRule(&authorizer.AttributesRecord{
			User: &user.DefaultInfo{Name: r.User, Groups: r.Groups}, Verb: r.Verb, ResourceRequest: r.IsResource, Path: r.Path,
			APIGroup: r.APIGroup, Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace, Name: r.Name,
		})
		stages := []string{}
		for _, stage := range config.OmitStages {
			stages = append(stages, string(stage))
		}
		sort.Strings(stages)
		verdicts = append(verdicts, []any{string(config.Level), stages, config.OmitManagedFields})
	}
	return answer{Verdicts: verdicts}
}
