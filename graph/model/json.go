package model

import (
	"fmt"
	"io"

	"github.com/99designs/gqlgen/graphql"
)

// JSON is a JSON text that is handed out as it stands.
type JSON []byte

// MarshalGQL writes the text.
func (j JSON) MarshalGQL(w io.Writer) { _, _ = w.Write(j) }

// UnmarshalGQL refuses: no argument of the schema is a JSON value.
func (j *JSON) UnmarshalGQL(any) error { return fmt.Errorf("JSON is not read as an argument") }

var _ graphql.Marshaler = JSON(nil)
