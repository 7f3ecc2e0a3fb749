package contract

import (
	"errors"
	"iter"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kvarter/kvarter/internal/fault"
)

// Read reads a YAML file into a struct, in which unknown names are mistakes; name is what a mistake
// is reported under, with its line.
func Read(name string, text []byte, into any) error {
	err := yaml.UnmarshalWithOptions(text, into, yaml.Strict())
	if err == nil {
		return nil
	}
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		return fault.Invalidf("%s:%d: %s", name, located.GetToken().Position.Line, located.GetMessage())
	}
	return fault.Invalidf("%s: %s", name, err)
}

// Section is a mapping of names in a YAML file, in the order in which they stand.
type Section[T any] struct{ entries section[T] }

// UnmarshalYAML reads the mapping.
func (s *Section[T]) UnmarshalYAML(node ast.Node) error { return s.entries.UnmarshalYAML(node) }

// Key is a name in a file and the line that it stands on, from 1.
type Key struct {
	Name string
	Line int
}

// All returns the names with what they stand for.
func (s Section[T]) All() iter.Seq2[Key, T] {
	return func(yield func(Key, T) bool) {
		for _, e := range s.entries {
			if !yield(Key{e.name, e.line}, e.value) {
				return
			}
		}
	}
}

// Len returns the number of names.
func (s Section[T]) Len() int { return len(s.entries) }
