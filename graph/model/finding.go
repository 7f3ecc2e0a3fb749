package model

import "github.com/kvarter/kvarter/internal/findings"

// Finding is a statement of the study whose figures can be asked for.
type Finding struct {
	*findings.Finding
	Figures []*Figure
}

// Figure is a figure of a finding.
type Figure struct {
	*findings.Figure
	Source *Source
	Result func() (findings.Result, error) // asks the finding's document, once
}
