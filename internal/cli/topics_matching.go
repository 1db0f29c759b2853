package cli

import "slices"

// matching returns the names of the topics that a pattern means, in name order. A topic of just that name wins over the regular
// expression that the name would be.
func matching(topics []topicMetadata, pattern string, excludeInternal bool) ([]string, error) {
	var names []string
	if slices.ContainsFunc(topics, func(t topicMetadata) bool { return t.name == pattern }) {
		names = append(names, pattern)
	}
	allowed := func(string) bool { return true }
	if pattern != "" {
		re, err := topicPattern(pattern)
		if err != nil {
			return nil, err
		}
		allowed = re.MatchString
	}
	for _, t := range topics {
		if len(names) == 1 && names[0] == pattern {
			break
		}
		if allowed(t.name) {
			names = append(names, t.name)
		}
	}
	if excludeInternal {
		names = slices.DeleteFunc(names, func(n string) bool {
			return slices.ContainsFunc(topics, func(t topicMetadata) bool { return t.name == n && isInternal(t) })
		})
	}
	return names, nil
}
