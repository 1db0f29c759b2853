package verb

import "fmt"

// Output is the value of the flag --output. The zero value is not valid; AddFlag sets the default.
type Output string

// flagSet is the part of pflag's FlagSet that AddFlag needs.
type flagSet interface {
	StringVarP(p *string, name, shorthand, value, usage string)
}

// AddFlag adds --output and its short form -o.
func (o *Output) AddFlag(f flagSet) {
	f.StringVarP((*string)(o), "output", "o", "text", "`format` of the output: text or json")
}

// JSON reports whether results are printed as JSON.
func (o *Output) JSON() (bool, error) {
	switch *o {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, UsageError{Err: fmt.Errorf("--output must be text or json, not %q", string(*o))}
}
