package topics

import (
	"slices"

	"github.com/botehq/bote/internal/cli/client"
)

// matching returns the names of the topics that a pattern selects, in name order. If a topic has exactly the pattern as its
// name, only that topic is selected; otherwise the pattern is a regular expression.
func matching(topics []client.Topic, pattern string, excludeInternal bool) ([]string, error) {
	var names []string
	if slices.ContainsFunc(topics, func(t client.Topic) bool { return t.Name == pattern }) {
		names = append(names, pattern)
	}
	allowed := func(string) bool { return true }
	if pattern != "" {
		re, err := client.TopicPattern(pattern)
		if err != nil {
			return nil, err
		}
		allowed = re.MatchString
	}
	for _, t := range topics {
		if len(names) == 1 && names[0] == pattern {
			break
		}
		if allowed(t.Name) {
			names = append(names, t.Name)
		}
	}
	if excludeInternal {
		internal := map[string]bool{}
		for _, t := range topics {
			internal[t.Name] = client.IsInternal(t)
		}
		names = slices.DeleteFunc(names, func(n string) bool { return internal[n] })
	}
	return names, nil
}
